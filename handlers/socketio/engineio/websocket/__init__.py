"""The WebSocket transport (RFC 6455)."""

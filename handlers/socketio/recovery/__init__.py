"""Connection state recovery, also over a restart of the server."""

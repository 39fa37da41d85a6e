"""What running the server as a service takes; nothing here knows the protocol or the board."""

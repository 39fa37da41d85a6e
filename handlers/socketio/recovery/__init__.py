"""Connection state recovery: clients that are away, over a restart of the server as well."""

"""A hub on several nodes: processes that share what is sent by a stream in Redis."""

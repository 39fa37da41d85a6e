"""What it takes to run a hub in production: sockets, signals, logs, metrics, the status page."""

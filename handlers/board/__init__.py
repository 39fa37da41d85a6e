"""The message board: events, history, page."""

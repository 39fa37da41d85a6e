"""The message board: its events, its history, its page."""

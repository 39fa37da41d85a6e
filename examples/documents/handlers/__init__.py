"""The application's own package, whose name the library leaves alone."""

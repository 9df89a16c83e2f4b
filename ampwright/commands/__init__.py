"""One file a command; the names and helps are in `main`."""

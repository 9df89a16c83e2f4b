"""One file a command; each imports its job when it is called, so that `--help` does not pay for it."""

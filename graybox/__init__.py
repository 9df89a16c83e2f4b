"""Models a person can read, fitted to recordings: filters, curves and their compositions."""

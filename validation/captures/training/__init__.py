"""Training of captures; the only room that knows torch."""

"""Netlists on the page: SPICE text to a Circuit, and back."""

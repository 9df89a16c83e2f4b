"""Scripts that draw the pictures shown in the documentation."""

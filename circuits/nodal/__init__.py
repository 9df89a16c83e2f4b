"""Modified nodal analysis: operating point, small signal, and the discrete K-method."""

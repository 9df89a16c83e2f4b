"""The circuit, its devices and its nodal solver: what it is and how it moves."""

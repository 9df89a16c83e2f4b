"""Device laws: value and slope of every nonlinear part, and the cards of named parts."""

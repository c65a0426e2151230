"""Speed of each step, beside its alternatives."""

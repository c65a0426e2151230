"""Speed of each step, compared with its alternatives."""

"""Rivals of the cINN in the paper's table, with the same h, heads, data and budget."""

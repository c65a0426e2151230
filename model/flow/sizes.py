"""Sizes that the network shares with the code around it."""

__all__ = ["CELLS", "LIGHTNESS_SIZE", "SIDE"]

LIGHTNESS_SIZE = 256
"""Side of the lightness that h sees."""
SIDE = 8
"""Side of the coarsest a*b*, in cells."""
CELLS = SIDE * SIDE

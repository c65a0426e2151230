"""Gamut mapping: chroma shrinks at constant lightness and hue until the color fits sRGB."""

import numpy as np
from numpy.typing import NDArray

from model.pixels.color import Floats, lab_to_linear

__all__ = ["map_to_gamut"]

TOLERANCE = 1e-5
"""Tolerance of linear sRGB outside [0, 1]: 0.03 of an 8-bit level at black, less elsewhere."""
STEPS = 16
"""Bisections: the resulting chroma is exact to 2⁻¹⁶ of the original chroma."""


def map_to_gamut(lab: Floats) -> Floats:
    """Shrink the chroma of each color by the least factor that brings it into sRGB.

    lab: (B, 3, …), L* in [0, 100]. Returns (B, 3, …): L* and hue are kept; colors inside sRGB are unchanged.
    A ray of chroma leaves sRGB once, at the boundary that bisection finds; but for a sliver of yellows at L* above 93,
    whose edge is a little concave: there it finds one of the boundaries.
    """
    outside = ~_is_inside(lab)
    colors = np.moveaxis(lab, 1, -1)[outside].T[None]
    lower = np.zeros_like(colors[:, :1])
    upper = np.ones_like(lower)
    for _ in range(STEPS):
        factor = (lower + upper) / 2
        inside = _is_inside(_scale_chroma(colors, factor))[:, None]
        lower, upper = np.where(inside, factor, lower), np.where(inside, upper, factor)
    mapped = np.moveaxis(lab, 1, -1).copy()
    mapped[outside] = _scale_chroma(colors, lower)[0].T
    return np.moveaxis(mapped, -1, 1)


def _is_inside(lab: Floats) -> NDArray[np.bool_]:
    linear = lab_to_linear(lab)
    return np.asarray((linear.min(1) >= -TOLERANCE) & (linear.max(1) <= 1 + TOLERANCE))


def _scale_chroma(lab: Floats, factor: Floats) -> Floats:
    return np.concatenate((lab[:, :1], lab[:, 1:] * factor), 1)

"""Gamut mapping: chroma shrinks at constant lightness and hue until the color fits sRGB."""

import torch
from torch import Tensor

from model.pixels.color import lab_to_linear

__all__ = ["map_to_gamut"]

TOLERANCE = 1e-5
"""How far linear sRGB may leave [0, 1] and still count as inside: 0.03 of an 8-bit level at black, less elsewhere."""
STEPS = 16
"""Bisections: the chroma left is right to 2⁻¹⁶ of the chroma wished for."""


def map_to_gamut(lab: Tensor) -> Tensor:
    """Shrink the chroma of each color by the least factor that brings it into sRGB.

    lab: (B, 3, …), L* in [0, 100]. Returns (B, 3, …): L* and hue are kept, colors of sRGB are returned as they are.
    A ray of chroma leaves sRGB once, at the boundary that bisection finds; but for a sliver of yellows at L* above 93,
    whose edge is a little concave: there it finds one of the boundaries.
    """
    outside = ~_is_inside(lab)
    colors = lab.movedim(1, -1)[outside].T[None]
    lower = torch.zeros_like(colors[:, :1])
    upper = torch.ones_like(lower)
    for _ in range(STEPS):
        factor = (lower + upper) / 2
        inside = _is_inside(_scale_chroma(colors, factor))[:, None]
        lower, upper = torch.where(inside, factor, lower), torch.where(inside, upper, factor)
    mapped = lab.movedim(1, -1).clone()
    mapped[outside] = _scale_chroma(colors, lower)[0].T
    return mapped.movedim(-1, 1)


def _is_inside(lab: Tensor) -> Tensor:
    linear = lab_to_linear(lab)
    return (linear.amin(1) >= -TOLERANCE) & (linear.amax(1) <= 1 + TOLERANCE)


def _scale_chroma(lab: Tensor, factor: Tensor) -> Tensor:
    return torch.cat((lab[:, :1], lab[:, 1:] * factor), 1)

"""Grain of color where the photo has texture: in smooth parts, such as a sky, the finest levels are as cold as 16².

Photos have fine grain of color, and colorings without it are told from them. But a level's noise is as wide as its
cells, which in a large picture shows as soft mottles on what is smooth.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.drawing.latents import deviations_at
from model.flow.constants import DETAIL_CHANNELS

__all__ = ["grain_deviations"]

SIGMA = 3.0
"""Pixels of the network's lightness: what is wider is shape or light, not texture."""
SMOOTH, TEXTURED = 0.7, 5.0
"""Root mean squares of the texture, in L*, up to which a place is smooth, and from which grain is whole."""

Floats = NDArray[np.float32]


def grain_deviations(
    lightness: Floats, temperature: float, exponents: Sequence[float], sizes: Sequence[int]
) -> list[Floats]:
    """Return the standard deviation of each latent of the finer levels, (dim,) each, for one photo at a temperature.

    Below 1 it is temperature^γ. γ is the level's own where the photo has texture. Where it is smooth, γ is that of
    16², the first of these levels, if that is colder. In between it goes evenly from one to the other. Above 1 all
    latents are warmed alike.

    lightness: (S, S), L* in [0, 100]. exponents: γ of each level. sizes: side of the a*b* that it completes, which
    divide 2·S. Raises InputError for a temperature out of range.
    """
    deviations_at(temperature, exponents)  # raises for a temperature out of range
    texture = lightness - cv2.GaussianBlur(lightness, (0, 0), SIGMA)
    found = []
    for exponent, size in zip(exponents, sizes, strict=True):
        share = _share_of_grain(texture, size // 2)
        where_smooth = max(exponent, exponents[0])
        local = share * exponent + (1 - share) * where_smooth
        deviations = deviations_at(temperature, local.ravel().tolist())
        found.append(np.tile(np.array(deviations, np.float32), DETAIL_CHANNELS))
    return found


def _share_of_grain(texture: Floats, grid: int) -> NDArray[np.float64]:
    """Return how much grain each place of a grid has, from 0 to 1: (grid, grid)."""
    block = len(texture) // grid
    squares = np.square(texture, dtype=np.float64).reshape(grid, block, grid, block).mean((1, 3))
    return np.clip((np.sqrt(squares) - SMOOTH) / (TEXTURED - SMOOTH), 0, 1)

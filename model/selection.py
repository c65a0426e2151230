"""Selection of the samples to show among many candidates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["select_diverse", "select_likely", "select_palette"]

DIRECTIONS = 8
"""Directions in the plane of a* and b* along which colors are compared."""


def select_diverse(chroma: NDArray[np.float32], n: int) -> list[int]:
    """Choose n maps of (M, 2, h, w) a*b* that lie far apart; return their indices, ascending.

    Farthest-point selection: beginning with the first, each map chosen is the one farthest from all chosen before. The
    distance of two maps is their color difference, averaged over pixels.
    Source: Gonzalez 1985, Clustering to minimize the maximum intercluster distance.
    """
    chroma = np.ascontiguousarray(chroma)  # in another layout, the last bits of means differ
    chosen = [0]
    nearest = np.full(len(chroma), np.inf)
    while len(chosen) < n:
        distance = np.linalg.norm(chroma - chroma[chosen[-1]], axis=1).mean((1, 2))
        nearest = np.minimum(nearest, distance)
        nearest[chosen] = -1  # so that equal maps are each chosen once, too
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)


def select_likely(bits_per_dim: NDArray[np.float64] | Sequence[float], n: int) -> list[int]:
    """Choose the n with the highest likelihood, that is, the fewest bits; return their indices, ascending."""
    return sorted(np.argsort(bits_per_dim, kind="stable")[:n].tolist())


def select_palette(chroma: NDArray[np.float32], wanted: NDArray[np.float32]) -> int:
    """Choose, of (M, 2, h, w) a*b*, the map with colors most like those of another, regardless of their places.

    wanted: (2, h, w) a*b*. The distance of two maps is that of their colors' sorted projections on a direction,
    averaged over directions.
    Source: Rabin et al. 2011, Wasserstein Barycenter and Its Application to Texture Mixing (the sliced distance).
    """
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    directions = np.stack((np.cos(angles), np.sin(angles)), 1)
    found, sought = (np.sort(directions @ each.reshape(-1, 2, wanted[0].size)) for each in (chroma, wanted))
    return int(np.abs(found - sought).mean((1, 2)).argmin())

"""Selection: which of many candidates are shown."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "select_convincing", "select_diverse", "select_likely"]

BLOCK = 4
"""Colorings that are chosen to differ from each other: the default of a request."""
DIVERSITY = 0.015
"""Reward, in standard deviations of ratings, that one ΔE of distance from the colorings chosen before is worth.

Without it, four colorings would differ less than four that nobody chose, by a fifth; with it, a little more.
"""


def select_convincing(
    chroma: NDArray[np.float32], rewards: NDArray[np.float32] | Sequence[float], tries: int
) -> list[int]:
    """Choose one of (M, 2, h, w) a*b* for each coloring that has so many draws: the indices of M / tries.

    Colorings are chosen in turn, in blocks of BLOCK. Each takes the best draw that the block's colorings up to it have
    and none took: of the highest reward, which counts more the farther the draw is from those taken in the block. So a
    coloring depends on no later one. The distance of two maps is their color difference, averaged over pixels.
    Source: Carbonell and Goldstein 1998, The Use of MMR, Diversity-Based Reranking.
    """
    chosen = list[int]()
    for start in range(0, len(chroma), BLOCK * tries):
        taken = list[int]()
        for end in range(start + tries, min(start + BLOCK * tries, len(chroma)) + 1, tries):
            score = np.array(rewards[start:end], np.float64)
            for each in taken:
                distance = np.linalg.norm(chroma[start:end] - chroma[each], axis=1).mean((1, 2))
                score += DIVERSITY / len(taken) * distance
            score[[each - start for each in taken]] = -np.inf
            taken.append(start + int(score.argmax()))
        chosen += taken
    return chosen


def select_diverse(chroma: NDArray[np.float32], n: int) -> list[int]:
    """Choose n maps of (M, 2, h, w) a*b* that lie far apart; return their indices, ascending.

    Farthest-point selection: beginning with the first, each map chosen is the one farthest from all chosen before. The
    distance of two maps is their color difference, averaged over pixels.
    Source: Gonzalez 1985, Clustering to minimize the maximum intercluster distance.
    """
    chroma = np.ascontiguousarray(chroma)  # means of another layout have other last bits
    chosen = [0]
    nearest = np.full(len(chroma), np.inf)
    while len(chosen) < n:
        distance = np.linalg.norm(chroma - chroma[chosen[-1]], axis=1).mean((1, 2))
        nearest = np.minimum(nearest, distance)
        nearest[chosen] = -1  # so that of equal maps, too, each is chosen once
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)


def select_likely(bits_per_dim: NDArray[np.float64] | Sequence[float], n: int) -> list[int]:
    """Choose the n of the highest likelihood, which is the fewest bits; return their indices, ascending."""
    return sorted(np.argsort(bits_per_dim, kind="stable")[:n].tolist())

"""The order in which the coarsest level draws cells: which comes when, sees which, and how warm it is."""

import numpy as np
from numpy.typing import NDArray

from model.flow.sizes import CELLS, SIDE

__all__ = ["CALM_TEMPERATURE", "DISTILLED_TEMPERATURE", "HIDDEN", "causal_mask", "cell_exponents", "dispersed_order"]

CELL_EXPONENTS = {4: 1.0, 16: 1.5, CELLS: 2.0}
"""γ by which a temperature t < 1 of mixtures becomes t^γ, for the first cells of dispersed-dot order up to each.

The first 2×2 and 4×4 cells decide which color things have, and so how colorings differ; those between have to agree
with them. Viewers who chose between two versions of a photo took this for true more often than one temperature for all.
"""
DISTILLED_TEMPERATURE = 0.8
"""There the distilled decoder draws as it is: the temperature of the first draws that it learned from."""
CALM_TEMPERATURE = 0.4
"""Below it, draws go over to the level's own heaviest components, which are nearer to the truth, and duller."""
HIDDEN = -1e4
"""Added to the attention's scores of cells that are not drawn yet: e^−10000 is 0."""


def dispersed_order() -> NDArray[np.int64]:
    """Return the cells' indices in dispersed-dot order, in which every prefix covers the photo evenly.

    Source: Bayer 1973, An optimum method for two-level rendition of continuous-tone pictures.
    """
    ranks = np.zeros((1, 1), np.int64)
    while len(ranks) < SIDE:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return ranks.ravel().argsort()


def cell_exponents() -> NDArray[np.float32]:
    """Return each cell's γ in dispersed-dot order, (64,); see `CELL_EXPONENTS`."""
    return np.array([next(g for first, g in CELL_EXPONENTS.items() if i < first) for i in range(CELLS)], np.float32)


def causal_mask() -> NDArray[np.float32]:
    """Return what is added to the attention's scores so that each cell sees itself and those before it: (64, 64)."""
    return np.triu(np.full((CELLS, CELLS), HIDDEN, np.float32), 1)

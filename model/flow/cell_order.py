"""Drawing order of the coarsest level's cells: positions, attention mask and temperatures."""

import numpy as np
from numpy.typing import NDArray

from model.flow.sizes import CELLS, SIDE

__all__ = ["CALM_TEMPERATURE", "DISTILLED_TEMPERATURE", "HIDDEN", "causal_mask", "cell_exponents", "dispersed_order"]

CELL_EXPONENTS = {4: 1.0, 16: 1.5, CELLS: 2.0}
"""γ by number of first cells in dispersed-dot order: a temperature t < 1 of their mixtures becomes t^γ.

The first 2×2 and 4×4 cells decide which color things have, and so how colorings differ; the cells between must agree
with them. Viewers who compared two versions of a photo found this real more often than one temperature for all.
"""
DISTILLED_TEMPERATURE = 0.8
"""Temperature at which the distilled decoder draws unchanged: that of the first draws it learned from."""
CALM_TEMPERATURE = 0.4
"""Temperature below which draws approach the level's own heaviest components: nearer to the truth, but duller."""
HIDDEN = -1e4
"""Added to the attention scores of cells not drawn yet: e^−10000 is 0."""


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
    """Return the causal mask, (64, 64), added to attention scores: each cell sees itself and earlier cells."""
    return np.triu(np.full((CELLS, CELLS), HIDDEN, np.float32), 1)

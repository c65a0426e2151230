"""Numbers of a network that its compiled graphs do not hold."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from model.flow.arrays import CinnArrays
from model.flow.cell_order import dispersed_order
from model.flow.sizes import SIDE

__all__ = ["ORDER", "Numbers"]

ORDER = dispersed_order()
"""(64,): the cells' order of drawing"""


class Numbers(NamedTuple):
    """Numbers around a network's graphs; levels are coarse to fine."""

    parameters: NDArray[np.int64]
    """(1,): number of the network's parameters"""
    chroma_mean: NDArray[np.float32]
    """(2, 1, 1): mean of a*b*"""
    chroma_std: NDArray[np.float32]
    cells_mean: NDArray[np.float32]
    """(2, 1, 1): mean of the coarsest, standardized a*b*"""
    cells_std: NDArray[np.float32]
    log_scales: NDArray[np.float64]
    """log-det of the fixed steps between a*b* and each level; see `Cinn.constant`"""
    start: NDArray[np.float32]
    """(width,): the coarsest level's input before the first cell"""
    distilled_start: NDArray[np.float32]
    """(width,): the distilled decoder's input before the first cell"""

    @classmethod
    def of(cls, cinn: CinnArrays) -> "Numbers":
        layers = cinn.layers
        level = layers.coarsest
        stds = [level.std, *(each.std for each in layers.details)]
        return cls(
            np.array([cinn.parameters]),
            layers.chroma_mean,
            layers.chroma_std,
            level.mean,
            level.std,
            np.array([_log_scale(cinn, i, std) for i, std in enumerate(stds)]),
            level.start.astype(np.float32),
            layers.distilled.start.astype(np.float32),
        )

    def to_bytes(self) -> bytes:
        """Serialize for `from_bytes`."""
        return bytes(save({name: np.ascontiguousarray(value) for name, value in self._asdict().items()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Numbers | None":
        """Read what `to_bytes` returned; None for anything else."""
        try:
            return cls(**load(data))
        except (SafetensorError, TypeError):
            return None

    def standardize(self, chroma: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardize a*b* for the network's levels."""
        return (chroma - self.chroma_mean) / self.chroma_std

    def to_chroma(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `standardize`."""
        return x * self.chroma_std + self.chroma_mean

    def cells_in_order(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert standardized coarsest a*b*, (N, 2, 8, 8), to the coarsest level's input: (N, 64, 2) in order."""
        cells = ((x - self.cells_mean) / self.cells_std).reshape(len(x), 2, -1).transpose(0, 2, 1)
        return cells[:, ORDER]

    def from_rows(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `cells_in_order` for cells in row-by-row order."""
        return cells.transpose(0, 2, 1).reshape(-1, 2, SIDE, SIDE) * self.cells_std + self.cells_mean


def _log_scale(cinn: CinnArrays, level: int, std: NDArray[np.float32]) -> float:
    """Mirror `Cinn.constant`, less the log-det of the level's own standardization; std: (C, 1, 1), the level's."""
    dims = cinn.config.dims
    log_std, own = (float(np.log(each, dtype=np.float64).mean()) for each in (cinn.layers.chroma_std, std))
    halvings = len(dims) - 1 - level
    return -dims[level] * (log_std + halvings * math.log(2) + own)

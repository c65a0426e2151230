"""Numbers of a network that are needed beside its compiled graphs."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

if TYPE_CHECKING:
    from model.flow.cinn import Cinn

__all__ = ["Numbers"]


class Numbers(NamedTuple):
    """Numbers around a network's graphs; levels are coarse to fine."""

    sizes: NDArray[np.int64]
    """side of the a*b* that each level completes"""
    dims: NDArray[np.int64]
    """latents of each level"""
    parameters: NDArray[np.int64]
    """(1,): how many the network has"""
    chroma_mean: NDArray[np.float32]
    """(2, 1, 1): mean of a*b*"""
    chroma_std: NDArray[np.float32]
    cells_mean: NDArray[np.float32]
    """(2, 1, 1): mean of the coarsest, standardized a*b*"""
    cells_std: NDArray[np.float32]
    log_scales: NDArray[np.float64]
    """log-det of all that surrounds each level on the way to its latents; see `Cinn.constant`"""
    order: NDArray[np.int64]
    """(64,): which cell is drawn when"""
    exponents: NDArray[np.float32]
    """(64,): γ by which a temperature T < 1 becomes T^γ, in that order"""
    guidance: NDArray[np.float32]
    """(1,): guidance at temperature T < 1 is so many times T·(1 − T)"""
    start: NDArray[np.float32]
    """(width,): what the coarsest level sees before the first cell"""
    prior_start: NDArray[np.float32]
    """the same of the prior"""
    prior_places: NDArray[np.float32]
    """(64, width): what the prior sees of each cell's place"""

    @classmethod
    def of(cls, cinn: "Cinn") -> "Numbers":
        """Read them from the network's definition."""
        from model.flow.autoregressive import GUIDANCE  # late: it imports torch

        level = cinn.coarsest
        cells = level.order.numel() * np.log(_array(level.std)).sum()
        finer = [float(each.log_scale()) for each in cinn.details]
        constants = [float(cinn.constant(i)) for i in range(len(cinn.dims))]
        return cls(
            np.array(cinn.config.sizes),
            np.array(cinn.dims),
            np.array([sum(each.numel() for each in cinn.parameters())]),
            _array(cinn.chroma_mean),
            _array(cinn.chroma_std),
            _array(level.mean),
            _array(level.std),
            np.array(constants) - [cells, *finer],
            _array(level.order),
            _array(level.exponents),
            np.array([GUIDANCE], np.float32),
            _array(level.start),
            _array(cinn.prior.start),
            _array(cinn.prior.decoder_places),
        )

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads."""
        return bytes(save({name: np.ascontiguousarray(value) for name, value in self._asdict().items()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Numbers | None":
        """Read what `to_bytes` returned; None for anything else."""
        try:
            return cls(**load(data))
        except (SafetensorError, TypeError):
            return None

    @property
    def total_dims(self) -> int:
        """Latents of all levels."""
        return int(self.dims.sum())

    def standardize(self, chroma: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a*b* to what the network's levels work on."""
        return (chroma - self.chroma_mean) / self.chroma_std

    def to_chroma(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `standardize`."""
        return x * self.chroma_std + self.chroma_mean

    def cells_in_order(self, x: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
        """Bring standardized coarsest a*b*, (N, 2, 8, 8), to what the coarsest level works on: (N, 64, 2) in an order.

        order: (64,), or one for each of N, (N, 64).
        """
        cells = ((x - self.cells_mean) / self.cells_std).reshape(len(x), 2, -1).transpose(0, 2, 1)
        return np.take_along_axis(cells, np.broadcast_to(order, cells.shape[:2])[..., None], 1)

    def from_order(self, cells: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
        """Undo `cells_in_order`."""
        rows = np.empty_like(cells)
        np.put_along_axis(rows, np.broadcast_to(order, cells.shape[:2])[..., None], cells, 1)
        side = math.isqrt(cells.shape[1])
        return rows.transpose(0, 2, 1).reshape(-1, 2, side, side) * self.cells_std + self.cells_mean


def _array(tensor: Any) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy())

"""A runtime: the network's passes on a device, for chunks of rows that several photos share."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from model.flow.cinn import LogProb, Samples

__all__ = ["Condition", "Runtime"]


class Condition(NamedTuple):
    """All that depends on the photos alone, as one runtime computes it; another cannot read it."""

    cells: tuple[Tensor, ...]
    """(P, 64, …): what the coarsest level needs, its own condition first"""
    maps: tuple[Tensor, ...]
    """(P, width, S, S): the decoder's, coarse to fine"""

    @classmethod
    def join(cls, conditions: "Sequence[Condition]") -> "Condition":
        """Return the condition of all photos of several."""
        if len(conditions) == 1:
            return conditions[0]
        cells = tuple(torch.cat(parts) for parts in zip(*(each.cells for each in conditions), strict=True))
        return cls(cells, tuple(torch.cat(parts) for parts in zip(*(each.maps for each in conditions), strict=True)))

    def split(self) -> "list[Condition]":
        """Return the condition of each photo."""
        count = len(self.maps[0])
        return [
            Condition(tuple(c[i : i + 1] for c in self.cells), tuple(m[i : i + 1] for m in self.maps))
            for i in range(count)
        ]


class Runtime(Protocol):
    """Executes what `Cinn` defines. Every call of one method has the same number of rows; threads may call at once.

    photo: (N,), which of the condition's photos each row is of. See `Cinn` for the other arguments.
    """

    def prepare(self, photos: int, draws: int, samples: int) -> None:
        """Begin to load what the first photo needs, beside what the caller does next; rows of each kind of pass."""
        ...

    def condition(self, lightness: Tensor) -> Condition:
        """Compute the condition of (P, 1, 256, 256) L* in full precision, for likelihoods depend on it."""
        ...

    def draw_coarsest(
        self, condition: Condition, photo: Tensor, z: Tensor, temperature: Tensor, given: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode the coarsest level, and say how well each draw fits. given: NaN where a cell is to be drawn."""
        ...

    def draws_alike(self, rows: int, more: int) -> bool:
        """Say whether `draw_coarsest` gives a row the same bits among so many rows as among a multiple of them."""
        ...

    def see(self, rgb: Tensor) -> Tensor:
        """See `ConditionNetwork.see`."""
        ...

    def add_details(self, condition: Condition, photo: Tensor, coarsest: Tensor, latents: Sequence[Tensor]) -> Samples:
        """Complete a*b* of the coarsest size."""
        ...

    def encode(self, condition: Condition, photo: Tensor, chroma: Tensor) -> LogProb:
        """Encode (N, 2, 64, 64) a*b* in full precision."""
        ...

"""A runtime: the network's passes on a device, for chunks of rows that several photos share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from model.drawing.runtimes.numbers import Numbers

__all__ = ["Condition", "Encoded", "Floats", "Indices", "Runtime", "Samples"]

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


class Condition(NamedTuple):
    """All that depends on the photos alone, as one runtime computes it; another cannot read it."""

    cells: tuple[Any, ...]
    """(P, 64, …): what the coarsest level needs; in the runtime's own arrays"""
    maps: tuple[Any, ...]
    """(P, width, S, S): the decoder's, coarse to fine"""

    @classmethod
    def join(cls, conditions: "Sequence[Condition]", concatenate: Callable[[Sequence[Any]], Any]) -> "Condition":
        """Return the condition of all photos of several. concatenate: of the runtime's arrays, along the first axis."""
        if len(conditions) == 1:
            return conditions[0]
        cells = tuple(concatenate(parts) for parts in zip(*(each.cells for each in conditions), strict=True))
        return cls(cells, tuple(concatenate(parts) for parts in zip(*(each.maps for each in conditions), strict=True)))

    def split(self) -> "list[Condition]":
        """Return the condition of each photo."""
        count = len(self.maps[0])
        return [
            Condition(tuple(c[i : i + 1] for c in self.cells), tuple(m[i : i + 1] for m in self.maps))
            for i in range(count)
        ]


class Samples(NamedTuple):
    """See `model.flow.cinn.Samples`."""

    chroma: Floats
    log_prob: NDArray[np.float64]
    coarsest_latents: Floats


class Encoded(NamedTuple):
    """See `model.flow.cinn.LogProb`."""

    log_prob: NDArray[np.float64]
    latents: list[Floats]


class Runtime(Protocol):
    """Executes what `Cinn` defines. Every call of one method has the same number of rows; threads may call at once.

    photo: (N,), which of the condition's photos each row is of. See `Cinn` for the other arguments.
    """

    @property
    def numbers(self) -> Numbers:
        """Numbers of the network."""
        ...

    def prepare(self, photos: int, draws: int, samples: int) -> None:
        """Begin to load what the first photo needs, beside what the caller does next; rows of each kind of pass."""
        ...

    def prepare_rest(self, draws: int, most_draws: int, samples: int) -> Iterator[None]:
        """Load or compile what later photos may need, a piece at each step. The caller may stop after any."""
        ...

    def begin_thread(self) -> None:
        """Let a thread that will call compute by itself, for others compute beside it."""
        ...

    def wait(self) -> None:
        """Wait until the device has done all that it was given."""
        ...

    def free_memory(self) -> None:
        """Give back memory that is kept for later calls."""
        ...

    def condition(self, lightness: Floats) -> Condition:
        """Compute the condition of (P, 1, 256, 256) L* in full precision, for likelihoods depend on it."""
        ...

    def join(self, conditions: Sequence[Condition]) -> Condition:
        """Return the condition of all photos of several."""
        ...

    def draw_coarsest(
        self, condition: Condition, photo: Indices, z: Floats, temperature: Floats, given: Floats
    ) -> Floats:
        """Decode the coarsest level: (N, 2, 8, 8) a*b*. given: NaN where a cell is to be drawn."""
        ...

    def draws_alike(self, rows: int, more: int) -> bool:
        """Say whether `draw_coarsest` gives a row the same bits among so many rows as among a multiple of them."""
        ...

    def add_details(self, condition: Condition, photo: Indices, coarsest: Floats, latents: Sequence[Floats]) -> Samples:
        """Complete a*b* of the coarsest size."""
        ...

    def encode(self, condition: Condition, photo: Indices, chroma: Floats) -> Encoded:
        """Encode (N, 2, 64, 64) a*b* in full precision."""
        ...

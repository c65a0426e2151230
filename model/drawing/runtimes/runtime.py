"""A runtime: the network's passes on a device, for chunks of rows that several photos share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

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

    def split(self) -> "list[Condition]":
        """Return the condition of each photo."""
        return [Condition(*(tuple(a[i : i + 1] for a in part) for part in self)) for i in range(len(self.maps[0]))]


class Samples(NamedTuple):
    """See `model.flow.cinn.Samples`."""

    chroma: Floats
    log_prob: NDArray[np.float64]
    coarsest_latents: Floats


class Encoded(NamedTuple):
    """See `model.flow.cinn.LogProb`."""

    log_prob: NDArray[np.float64]
    latents: list[Floats]


class Runtime(ABC):
    """Executes what `Cinn` defines. Every call of one method has the same number of rows; threads may call at once.

    photo: (N,), which of the condition's photos each row is of. See `Cinn` for the other arguments.
    """

    numbers: Numbers
    """numbers of the network"""
    concatenate: Callable[[Any], Any]
    """joins the runtime's arrays along the first axis"""

    def prepare(self, photos: int, draws: int, samples: int) -> None:  # noqa: B027 - all may be there
        """Begin to load what the first photo needs, beside what the caller does next; rows of each kind of pass."""

    def prepare_rest(self, draws: int, most_draws: int, samples: int) -> Iterator[None]:
        """Load or compile what later photos may need, a piece at each step. The caller may stop after any."""
        return iter(())

    def begin_thread(self) -> None:  # noqa: B027 - it may do so anyway
        """Let a thread that will call compute by itself, for others compute beside it."""

    def wait(self) -> None:  # noqa: B027 - calls may return when all is done
        """Wait until the device has done all that it was given."""

    def free_memory(self) -> None:  # noqa: B027 - all that is kept may be needed again
        """Give back memory that is kept for later calls."""

    def join(self, conditions: Sequence[Condition]) -> Condition:
        """Return the condition of all photos of several."""
        if len(conditions) == 1:
            return conditions[0]
        return Condition(
            *(tuple(map(self.concatenate, zip(*parts, strict=True))) for parts in zip(*conditions, strict=True))
        )

    @abstractmethod
    def condition(self, lightness: Floats) -> Condition:
        """Compute the condition of (P, 1, 256, 256) L* in full precision, for likelihoods depend on it."""

    @abstractmethod
    def draw_coarsest(
        self, condition: Condition, photo: Indices, z: Floats, temperature: Floats, given: Floats
    ) -> Floats:
        """Decode the coarsest level: (N, 2, 8, 8) a*b*. given: NaN where a cell is to be drawn."""

    def draws_alike(self, rows: int, more: int) -> bool:
        """Say whether `draw_coarsest` gives a row the same bits among so many rows as among a multiple of them."""
        return False

    @abstractmethod
    def add_details(self, condition: Condition, photo: Indices, coarsest: Floats, latents: Sequence[Floats]) -> Samples:
        """Complete a*b* of the coarsest size."""

    @abstractmethod
    def encode(self, condition: Condition, photo: Indices, chroma: Floats) -> Encoded:
        """Encode (N, 2, 64, 64) a*b* in full precision."""

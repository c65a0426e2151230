"""A runtime: the network's passes on a device, for chunks of rows that several photos share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.drawing.runtimes.numbers import Numbers

__all__ = ["Condition", "Encoded", "Floats", "Given", "Indices", "Runtime", "Samples"]

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


class Condition(NamedTuple):
    """The condition of photos, in one runtime's own form."""

    cells: tuple[Any, ...]
    """(P, 64, …): the coarsest level's condition, in the runtime's own arrays"""
    maps: tuple[Any, ...]
    """the decoder's maps of the P photos, coarse to fine, in the runtime's own arrays"""

    def split(self) -> "list[Condition]":
        """Return the condition of each photo."""
        return [Condition(*(tuple(a[i : i + 1] for a in part) for part in self)) for i in range(len(self.maps[0]))]


class Given(NamedTuple):
    """Cells that are given to N draws of the coarsest level; see `AutoregressiveLevel.draw`."""

    cells: Floats
    """(N, 2, 8, 8) a*b*, NaN for cells to draw"""
    tolerance: Floats
    """(N,): nats by which given cells may make the color of another less plausible before it changes"""


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
    """Executes the network that `Cinn` defines. All calls of one method have the same number of rows. Thread-safe.

    photo: (N,), index of each row's photo in the condition. See `Cinn` for the other arguments.
    """

    numbers: Numbers
    """numbers of the network"""
    concatenate: Callable[[Any], Any]
    """concatenates the runtime's arrays along the first axis"""

    def prepare(self, photos: int, draws: int, samples: int) -> None:  # noqa: B027 - there may be nothing to load
        """Begin to load in the background what the first photo needs. Arguments: rows of each kind of pass."""

    def prepare_rest(self, draws: int, most_draws: int, samples: int) -> Iterator[None]:
        """Load or compile what later photos may need, one piece per step. The caller may stop after any step."""
        return iter(())

    def begin_thread(self) -> None:  # noqa: B027 - it may be the default
        """Let a calling thread compute with one thread only, since other threads compute in parallel."""

    def wait(self) -> None:  # noqa: B027 - calls may be synchronous
        """Wait until the device has finished its work."""

    def free_memory(self) -> None:  # noqa: B027 - there may be nothing to free
        """Free memory that is kept for later calls."""

    def join(self, conditions: Sequence[Condition]) -> Condition:
        """Concatenate conditions."""
        if len(conditions) == 1:
            return conditions[0]
        return Condition(
            *(tuple(map(self.concatenate, zip(*parts, strict=True))) for parts in zip(*conditions, strict=True))
        )

    @abstractmethod
    def condition(self, lightness: Floats) -> Condition:
        """Compute the condition of (P, 1, 256, 256) L* in full precision, since likelihoods depend on it."""

    @abstractmethod
    def draw_coarsest(
        self, condition: Condition, photo: Indices, z: Floats, temperature: Floats, given: Given
    ) -> Floats:
        """Decode the coarsest level: (N, 2, 8, 8) a*b*."""

    def draws_alike(self, rows: int, more: int) -> bool:
        """Say whether `draw_coarsest` gives each row the same bits among this many rows as among a multiple."""
        return False

    @abstractmethod
    def add_details(self, condition: Condition, photo: Indices, coarsest: Floats, latents: Sequence[Floats]) -> Samples:
        """Complete a*b* of the coarsest size with the finer levels."""

    @abstractmethod
    def encode(self, condition: Condition, photo: Indices, chroma: Floats) -> Encoded:
        """Encode (N, 2, 64, 64) a*b* in full precision."""

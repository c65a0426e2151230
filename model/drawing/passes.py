"""Passes through the network that several photos share.

All chunks have the same number of rows; the last one is filled up. Chunks of another size may use other kernels, whose
last bits differ. With one size, a sample is the same to the bit, whatever is drawn beside it. Only draws of the
coarsest level may use larger chunks, where the runtime finds that they give the same bits.
On a CPU, chunks run side by side with one thread each. This is faster than several threads for one small pass, and
gives the same bits on any number of cores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from time import monotonic
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.device import THREADS
from model.drawing.runtimes.choice import choose_runtime
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.runtime import Condition, Runtime
from model.errors import NonFiniteError, OutOfMemoryError
from model.flow.cinn import Cinn, LogProb

__all__ = ["Decoded", "Draws", "Passes"]

SAMPLES = {"cpu": 2, "cuda": 16}
"""Samples of a chunk of the finer levels, until memory runs out."""
DRAWS = {"cpu": 8, "cuda": 256}
"""Draws of a chunk of the coarsest level: its 64 small steps take little longer for many rows than for few."""
MOST_DRAWS = {"cpu": 32, "cuda": 256}
"""Largest chunk of draws, where larger chunks give the same bits: weights are read less often."""
PHOTOS = {"cpu": 1, "cuda": 8}
"""Photos whose condition is computed at once: on a CPU, more take no less time each."""
RECOVERY_SECONDS = 60.0
"""Interval after which passes double again, once memory ran out, until they have their full size."""
CPU_MEMORY_ERRORS = ("can't allocate memory", "bad_alloc")
"""Messages of torch and OpenVINO."""


class Draws(NamedTuple):
    """Draws of one photo's coarsest level, on the CPU."""

    chroma: Tensor
    """(N, 2, 8, 8) a*b*"""
    fits: Tensor
    """(N,): how well each fits the photo, compared with others of the same photo; of draws that are guided"""


class Decoded(NamedTuple):
    """Samples of one photo at the network's size."""

    chroma: NDArray[np.float32]
    """(N, 2, 64, 64) a*b*"""
    bits_per_dim: NDArray[np.float64]
    """(N,)"""
    latents: list[Tensor]
    """(N, dim) of each level, on the CPU: those that give the samples at temperature 1"""


class Passes:
    """The network on its device, numpy arrays and latents on the CPU in and out."""

    def __init__(
        self, cinn: Cinn, device: str, runtime: Runtime | None = None, cache: GraphCache | None = None
    ) -> None:
        """runtime: by default, the fastest for the device. cache: where it keeps compiled graphs."""
        self.cinn = cinn
        self.device = device
        self._given_runtime = runtime
        self._cache = cache
        self._halvings, self._since = 0, 0.0
        """how often passes were halved, and when their size last changed"""
        self._workers = 1 if device == "cuda" else THREADS

    @cached_property
    def _runtime(self) -> Runtime:
        return self._given_runtime or choose_runtime(self.cinn, self.device, self._cache)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers, "passes", initializer=torch.set_num_threads, initargs=(1,))

    def prepare(self) -> None:
        """See `Runtime.prepare`."""
        self._runtime.prepare(PHOTOS[self.device], DRAWS[self.device], SAMPLES[self.device])

    def condition(self, lightness: Sequence[NDArray[np.float32]]) -> list[Condition]:
        """Compute the condition of each photo, from (256, 256) L* in [0, 100]."""
        runtime = self._runtime
        photos = torch.from_numpy(np.stack(lightness))[:, None]
        parts = 0

        def compute(part: Tensor) -> list[Tensor]:
            nonlocal parts
            condition = runtime.condition(part)
            parts = len(condition.cells)
            return [*condition.cells, *condition.maps]

        levels = self._in_chunks(compute, PHOTOS, photos)
        return Condition(tuple(levels[:parts]), tuple(levels[parts:])).split()

    def draw_coarsest(
        self,
        conditions: Sequence[Condition],
        latents: Sequence[Tensor],
        temperatures: Sequence[Tensor],
        given: Sequence[Tensor | None],
    ) -> list[Draws]:
        """Decode the coarsest level of each photo, each with an N of its own.

        latents: (N, 128). temperatures: (N,). given: (N, 2, 8, 8) a*b* of the cells that are given, NaN elsewhere.
        Raises NonFiniteError.
        """
        runtime, condition = self._runtime, Condition.join(conditions)
        numbers = [len(z) for z in latents]
        unknown = [torch.full((n, 2, 8, 8), torch.nan) if g is None else g for n, g in zip(numbers, given, strict=True)]

        def draw(*rows: Tensor) -> Sequence[Tensor]:
            return runtime.draw_coarsest(condition, *rows)

        rows = (torch.cat(list(part)) for part in (latents, temperatures, unknown))
        drawn, fits = self._in_chunks(draw, self._draws_of(sum(numbers)), _photos(numbers), *rows)
        if not bool(drawn.isfinite().all() and fits.isfinite().all()):
            raise NonFiniteError("the coarsest level returned a*b* that are not finite numbers")
        parts = (rows.cpu().split(numbers) for rows in (drawn, fits))  # type: ignore[no-untyped-call] # torch's
        return [Draws(*each) for each in zip(*parts, strict=True)]

    def compare(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Compare what h's last layer sees in pictures, (N + 1, 256, 256, 3) sRGB, with what it sees in the first.

        Returns the cosines of all others, averaged over places: (N,). Chunks keep no features, which are large. Raises
        NonFiniteError.
        """
        runtime, rows = self._runtime, torch.from_numpy(pictures).permute(0, 3, 1, 2)
        (first,) = self._in_chunks(lambda rgb: [runtime.see(rgb.float())], PHOTOS, rows[:1])

        def compare(rgb: Tensor) -> list[Tensor]:
            return [F.cosine_similarity(runtime.see(rgb.float()), first, dim=1).mean((1, 2))]

        (cosines,) = self._in_chunks(compare, PHOTOS, rows[1:])
        if not bool(cosines.isfinite().all()):
            raise NonFiniteError("the condition network returned features that are not finite numbers")
        return cosines.cpu()

    def add_details(
        self, conditions: Sequence[Condition], coarsest: Sequence[Tensor], latents: Sequence[Sequence[Tensor]]
    ) -> list[Decoded]:
        """Complete each photo's draws by the finer levels.

        coarsest: (N, 2, 8, 8) a*b*. latents: (N, dim) of each finer level. Raises NonFiniteError.
        """
        runtime, condition = self._runtime, Condition.join(conditions)
        numbers = [len(x) for x in coarsest]
        fine = [torch.cat(level) for level in zip(*latents, strict=True)]

        def add(photo: Tensor, x: Tensor, *fine: Tensor) -> list[Tensor]:
            return list(runtime.add_details(condition, photo, x, fine))

        rows = (_photos(numbers), torch.cat(list(coarsest)), *fine)
        chroma, log_prob, latent = self._in_chunks(add, SAMPLES, *rows)
        bits_per_dim = -log_prob.double().sum(1) / (np.log(2) * sum(self.cinn.dims))
        results = [
            Decoded(c.cpu().float().numpy(), b.cpu().numpy(), [z.cpu(), *each])
            for c, b, z, each in zip(
                *(part.split(numbers) for part in (chroma, bits_per_dim, latent)),
                latents,
                strict=True,  # type: ignore[no-untyped-call]
            )
        ]
        for found in results:
            if not all(np.isfinite(each).all() for each in found[:2]):
                raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        return results

    def encode(self, chroma: NDArray[np.float32], condition: Condition) -> LogProb:
        """Encode (N, 2, 64, 64) a*b*; latents on the CPU. Raises NonFiniteError."""
        rows = torch.from_numpy(chroma).to(self.device)
        encoded = self._runtime.encode(condition, torch.zeros(len(rows), dtype=torch.long, device=self.device), rows)
        if not all(bool(part.isfinite().all()) for part in (encoded.log_prob, *encoded.latents)):
            raise NonFiniteError("the flow returned latents that are not finite numbers")
        return LogProb(encoded.log_prob.cpu(), [z.cpu() for z in encoded.latents])

    def _draws_of(self, count: int) -> Mapping[str, int]:
        """Return how many draws a chunk has: more where each thread has more to do, if that changes no bit."""
        base = size = DRAWS[self.device]
        while not self._halvings and size * self._workers < count and 2 * size <= MOST_DRAWS[self.device]:
            if not self._runtime.draws_alike(base, 2 * size):
                break
            size *= 2
        return {self.device: size}

    @torch.no_grad()
    def _in_chunks(
        self, function: Callable[..., Sequence[Tensor]], sizes: Mapping[str, int], *rows: Tensor
    ) -> list[Tensor]:
        """Call a function with chunks of equal size, side by side; return its results, one row for each row given.

        sizes: of a chunk on each device, while memory suffices.
        """
        count, size = len(rows[0]), max(1, sizes[self.device] >> self._halvings)
        missing = -count % size
        filled = [torch.cat((part, part[:1].expand(missing, *part.shape[1:]))) if missing else part for part in rows]
        chunks = [[part[start : start + size].to(self.device) for part in filled] for start in range(0, count, size)]
        results = list(self._threads.map(lambda chunk: _without_gradients(function, chunk), chunks))
        return [torch.cat(parts)[:count] for parts in zip(*results, strict=True)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run without gradients, and raise OutOfMemoryError where the device has no memory left.

        After it, passes are half as large, so that trying again may help; RECOVERY_SECONDS later they grow again.
        """
        if self._halvings and monotonic() - self._since >= RECOVERY_SECONDS:
            self._halvings, self._since = self._halvings - 1, monotonic()
        try:
            with torch.no_grad():
                yield
        except (RuntimeError, MemoryError) as error:  # torch's own out-of-memory error is a RuntimeError
            if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and not any(
                said in str(error) for said in CPU_MEMORY_ERRORS
            ):
                raise
            largest = max(sizes[self.device] for sizes in (SAMPLES, DRAWS, PHOTOS))
            self._halvings, self._since = min(self._halvings + 1, largest.bit_length() - 1), monotonic()
            if self.device == "cuda":
                torch.cuda.empty_cache()
            reason = f"{error}".strip().rpartition("\n")[2]  # OpenVINO tells at length where it was
            raise OutOfMemoryError(f"{self.device} has no memory left: {reason}") from error


def _without_gradients(function: Callable[..., Sequence[Tensor]], chunk: Sequence[Tensor]) -> Sequence[Tensor]:
    with torch.no_grad():  # which holds for a thread alone
        return function(*chunk)


def _photos(numbers: Sequence[int]) -> Tensor:
    """Say of each row which photo it is of."""
    return torch.arange(len(numbers)).repeat_interleave(torch.tensor(numbers))

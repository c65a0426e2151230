"""Passes through the network that several photos share.

All chunks have the same number of rows; the last one is padded. Chunks of other sizes may use other kernels, whose last
bits differ. With one size, a sample is bit-identical, whatever is drawn in the same pass. Only draws of the coarsest
level may use larger chunks, if the runtime finds that they give the same bits.
On a CPU, chunks run side by side with one thread each. This is faster than several threads for one small pass, and
gives the same bits on any number of cores.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.device import THREADS
from model.drawing.runtimes.choice import choose_runtime
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.runtime import Condition, Encoded, Floats, Given, Indices
from model.errors import NonFiniteError, OutOfMemoryError
from model.flow.checkpoint import Checkpoint

__all__ = ["Decoded", "Passes"]

SAMPLES = {"cpu": 2, "cuda": 16}
"""Samples per chunk of the finer levels, unless memory runs out."""
DRAWS = {"cpu": 4, "cuda": 256}
"""Draws per chunk of the coarsest level: as many as for four colorings, the default."""
MOST_DRAWS = {"cpu": 8, "cuda": 256}
"""Maximum chunk of draws if larger chunks give the same bits; weights are then read less often."""
PHOTOS = {"cpu": 1, "cuda": 8}
"""Photos whose condition is computed at once; on a CPU, more are not faster per photo."""
RECOVERY_SECONDS = 60.0
"""Interval at which passes, or their number, double after memory ran out, up to the original size."""
MEMORY_ERRORS = ("out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED", "can't allocate memory", "bad_alloc")
"""Out-of-memory messages of torch, cuBLAS and cuDNN on a GPU, torch on a CPU, and OpenVINO."""

Result = TypeVar("Result")


class Decoded(NamedTuple):
    """Samples of one photo at the network's size."""

    chroma: Floats
    """(N, 2, 64, 64) a*b*"""
    bits_per_dim: NDArray[np.float64]
    """(N,)"""
    latents: list[Floats]
    """(N, dim) of each level: latents that give the samples at temperature 1"""


class Passes:
    """The network on its device, called with numpy arrays."""

    def __init__(self, checkpoint: Checkpoint, device: str, cache: GraphCache | None = None) -> None:
        """cache: store of compiled graphs."""
        self.device = device
        self._runtime = choose_runtime(checkpoint, device, cache)
        self.numbers = self._runtime.numbers
        self._dims = checkpoint.config.total_dims
        self._halvings, self._since = 0, 0.0
        """number of halvings of passes, and time of the last change"""
        self._workers = 1 if device == "cuda" else THREADS
        self._threads = ThreadPoolExecutor(self._workers, "passes", initializer=self._runtime.begin_thread)

    def prepare(self) -> None:
        """Begin to load in the background what the first photo needs."""
        self._runtime.prepare(PHOTOS[self.device], DRAWS[self.device], SAMPLES[self.device])

    def prepare_rest(self) -> Iterator[None]:
        return self._runtime.prepare_rest(DRAWS[self.device], MOST_DRAWS[self.device], SAMPLES[self.device])

    def now(self) -> float:
        """Wait until the device has finished its work; return the time in seconds of `perf_counter`."""
        self._runtime.wait()
        return perf_counter()

    def condition(self, lightness: Sequence[Floats]) -> list[Condition]:
        """Compute the condition of each photo, from (256, 256) L* in [0, 100]."""
        found = self._map_chunks(self._runtime.condition, PHOTOS[self.device], np.stack(lightness)[:, None])
        return [each for condition in found for each in condition.split()][: len(lightness)]

    def draw_coarsest(
        self,
        conditions: Sequence[Condition],
        latents: Sequence[Floats],
        temperatures: Sequence[Floats],
        given: Sequence[Floats | None],
        tolerances: Sequence[float],
    ) -> list[Floats]:
        """Decode the coarsest level of each photo, each with an N of its own: (N, 2, 8, 8) a*b*.

        latents: (N, 128). temperatures: (N,). given: (N, 2, 8, 8) a*b* of given cells, NaN elsewhere; None without any.
        tolerances: in nats, one for each photo, without effect where nothing is given. See `AutoregressiveLevel.draw`.
        Raises NonFiniteError.
        """
        runtime, condition = self._runtime, self._runtime.join(conditions)
        numbers = [len(z) for z in latents]
        unknown = [
            np.full((n, 2, 8, 8), np.nan, np.float32) if g is None else g for n, g in zip(numbers, given, strict=True)
        ]

        def draw(photo: Indices, z: Floats, temperature: Floats, *given: Floats) -> Sequence[NDArray[Any]]:
            return [runtime.draw_coarsest(condition, photo, z, temperature, Given(*given))]

        warmth = np.concatenate(temperatures)
        hinted = np.repeat([each is not None for each in given], numbers)
        leeway = np.where(hinted, np.repeat(np.array(tolerances, np.float32), numbers), np.float32(0))
        alike = np.lexsort((warmth, hinted))  # a chunk runs every decoder and every draw that any of its rows needs
        rows = (_photos(numbers), np.concatenate(latents), warmth, np.concatenate(unknown), leeway)
        (found,) = self._in_chunks(draw, self._draws_of(sum(numbers)), *(part[alike] for part in rows))
        drawn = found[np.argsort(alike)]
        if not np.isfinite(drawn).all():
            raise NonFiniteError("the coarsest level returned a*b* that are not finite numbers")
        return _split(drawn, numbers)

    def add_details(
        self, conditions: Sequence[Condition], coarsest: Sequence[Floats], latents: Sequence[Sequence[Floats]]
    ) -> list[Decoded]:
        """Complete each photo's draws with the finer levels.

        coarsest: (N, 2, 8, 8) a*b*. latents: (N, dim) of each finer level. Raises NonFiniteError.
        """
        runtime, condition = self._runtime, self._runtime.join(conditions)
        numbers = [len(x) for x in coarsest]
        fine = [np.concatenate(level) for level in zip(*latents, strict=True)]

        def add(photo: Indices, x: Floats, *fine: Floats) -> Sequence[NDArray[Any]]:
            return runtime.add_details(condition, photo, x, fine)

        rows: list[NDArray[Any]] = [_photos(numbers), np.concatenate(coarsest), *fine]
        chroma, log_prob, latent = self._in_chunks(add, SAMPLES[self.device], *rows)
        parts = (_split(part, numbers) for part in (chroma, self.bits_per_dim(log_prob), latent))
        results = [Decoded(c, b, [z, *each]) for c, b, z, each in zip(*parts, latents, strict=True)]
        for found in results:
            if not all(np.isfinite(each).all() for each in found[:2]):
                raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        return results

    def encode(self, chroma: Floats, condition: Condition) -> Encoded:
        """Encode (N, 2, 64, 64) a*b*. Raises NonFiniteError."""

        def encode(photo: Indices, rows: Floats) -> Sequence[NDArray[Any]]:
            encoded = self._runtime.encode(condition, photo, rows)
            return [encoded.log_prob, *encoded.latents]

        log_prob, *latents = self._in_chunks(encode, SAMPLES[self.device], _photos([len(chroma)]), chroma)
        if not all(np.isfinite(part).all() for part in (log_prob, *latents)):
            raise NonFiniteError("the flow returned latents that are not finite numbers")
        return Encoded(log_prob, latents)

    def bits_per_dim(self, log_prob: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return bits per dimension, (N,), of the nats of each level, (N, levels)."""
        return np.asarray(-log_prob.sum(1) / (np.log(2) * self._dims))

    def _draws_of(self, count: int) -> int:
        """Return the draws per chunk: more if each thread has more to do and no bit changes."""
        base = size = DRAWS[self.device]
        while not self._halvings and size * self._workers < count and 2 * size <= MOST_DRAWS[self.device]:
            if not self._runtime.draws_alike(base, 2 * size):
                break
            size *= 2
        return size

    def _in_chunks(
        self, function: Callable[..., Sequence[NDArray[Any]]], most: int, *rows: NDArray[Any]
    ) -> list[NDArray[Any]]:
        """Call a function with chunks of equal size, in parallel; return its results, one row for each input row.

        most: rows per chunk while memory suffices.
        """
        results = self._map_chunks(function, most, *rows)
        return [np.concatenate(parts)[: len(rows[0])] for parts in zip(*results, strict=True)]

    def _map_chunks(self, function: Callable[..., Result], most: int, *rows: NDArray[Any]) -> list[Result]:
        fewer = self._halvings if self.device == "cuda" else 0
        count, size = len(rows[0]), max(1, most >> fewer)
        missing = -count % size
        filled = [np.concatenate((part, *[part[-1:]] * missing)) if missing else part for part in rows]
        chunks = [[part[start : start + size] for part in filled] for start in range(0, count, size)]
        # on a CPU, other sizes would need new graphs; so fewer chunks run in parallel
        at_once = max(1, self._workers >> self._halvings) if self._halvings else len(chunks)
        parts = (chunks[start : start + at_once] for start in range(0, len(chunks), at_once))
        return [found for part in parts for found in self._threads.map(lambda chunk: function(*chunk), part)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Raise OutOfMemoryError if the device has no memory left.

        Afterwards passes are half as large, or half as many at once on a CPU, so that a retry may succeed; they grow
        again after RECOVERY_SECONDS.
        """
        if self._halvings and monotonic() - self._since >= RECOVERY_SECONDS:
            self._halvings, self._since = self._halvings - 1, monotonic()
        try:
            yield
        except (RuntimeError, MemoryError) as error:  # torch's own out-of-memory error is a RuntimeError
            if not isinstance(error, MemoryError) and not any(said in str(error) for said in MEMORY_ERRORS):
                raise
            largest = max(sizes[self.device] for sizes in (SAMPLES, DRAWS, PHOTOS))
            self._halvings, self._since = min(self._halvings + 1, largest.bit_length() - 1), monotonic()
            self._runtime.free_memory()
            reason = f"{error}".strip().rpartition("\n")[2]  # OpenVINO's earlier lines say where it happened
            raise OutOfMemoryError(f"{self.device} has no memory left: {reason}") from error


def _photos(numbers: Sequence[int]) -> Indices:
    """Return the photo's index for each row."""
    return np.repeat(np.arange(len(numbers)), numbers)


def _split(rows: NDArray[Any], numbers: Sequence[int]) -> list[NDArray[Any]]:
    return np.split(rows, np.cumsum(numbers)[:-1])

"""Passes through the network that several photos share.

A chunk always has as many samples as any other: where there are fewer, it is filled up. Another number may take other
kernels, whose last bits differ; in chunks of one size a sample is the same to the bit, whatever is drawn beside it.
On a CPU, chunks run side by side with one thread each, which is faster than several threads for one small pass, and
gives the same bits on any number of cores.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.device import THREADS
from model.drawing.recording import RecordedPasses
from model.errors import NonFiniteError, OutOfMemoryError
from model.flow.cinn import Cinn, LogProb, Samples

__all__ = ["Condition", "Passes"]

SAMPLES = {"cpu": 2, "cuda": 16}
"""Samples of a chunk, until memory runs out."""
PHOTOS = {"cpu": 1, "cuda": 8}
"""Photos whose condition is computed at once: on a CPU, more take no less time each."""
CPU_MEMORY_ERROR = "can't allocate memory"

Condition = list[Tensor]
"""All that depends on the photo alone: (1, …) for each level."""


class Passes:
    """The network on its device, numpy arrays and latents on the CPU in and out."""

    def __init__(self, cinn: Cinn, device: str) -> None:
        self.cinn = cinn
        self.device = device
        self._samples, self._photos = SAMPLES[device], PHOTOS[device]

    @cached_property
    def _network(self) -> Cinn | RecordedPasses:
        """The network, recorded on a CPU; on first use, since encoding does without."""
        return self.cinn if self.device == "cuda" else RecordedPasses(self.cinn, self._samples)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        workers = 1 if self.device == "cuda" else THREADS
        return ThreadPoolExecutor(workers, "passes", initializer=torch.set_num_threads, initargs=(1,))

    def condition(self, lightness: Sequence[NDArray[np.float32]]) -> list[Condition]:
        """Compute the condition of each photo, from (256, 256) L* in [0, 100]."""
        chunk = self._photos
        parts = [np.stack(lightness[start : start + chunk]) for start in range(0, len(lightness), chunk)]
        found = self._threads.map(partial(self._condition_chunk, self._network), parts)
        return [condition for conditions in found for condition in conditions]

    def sample(
        self, conditions: Sequence[Condition], latents: Sequence[Sequence[Tensor]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
        """Decode the latents of each photo, (N, dim) for each level, each photo with an N of its own.

        Returns (N, 2, 64, 64) a*b* and (N,) bits per dimension of each. Raises NonFiniteError.
        """
        numbers = [len(levels[0]) for levels in latents]
        owners = [photo for photo, n in enumerate(numbers) for _ in range(n)]
        chunk = self._samples
        missing = -len(owners) % chunk
        owners += [0] * missing
        filled = [F.pad(torch.cat(level), (0, 0, 0, missing)) for level in zip(*latents, strict=True)]
        starts = range(0, len(owners), chunk)
        parts = list(
            self._threads.map(
                partial(self._sample_chunk, self._network),
                ([conditions[photo] for photo in owners[start : start + chunk]] for start in starts),
                ([z[start : start + chunk] for z in filled] for start in starts),
            )
        )
        chroma = torch.cat([part.chroma for part in parts]).float().cpu().numpy()
        log_prob = torch.cat([part.log_prob for part in parts]).double().sum(1).cpu().numpy()
        bits_per_dim = -log_prob / (np.log(2) * chroma[0].size)
        ends = np.cumsum(numbers)
        results = [(chroma[end - n : end], bits_per_dim[end - n : end]) for n, end in zip(numbers, ends, strict=True)]
        for found in results:
            if not all(np.isfinite(each).all() for each in found):
                raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        return results

    def encode(self, chroma: NDArray[np.float32], condition: Condition) -> LogProb:
        """Encode (64, 64, 2) a*b*; latents on the CPU. Raises NonFiniteError."""
        batch = torch.from_numpy(chroma).permute(2, 0, 1)[None].to(self.device)
        encoded = self.cinn.log_prob(batch, condition)
        if not all(bool(part.isfinite().all()) for part in (encoded.log_prob, *encoded.latents)):
            raise NonFiniteError("the flow returned latents that are not finite numbers")
        return LogProb(encoded.log_prob.cpu(), [z.cpu() for z in encoded.latents])

    @torch.no_grad()
    def _condition_chunk(self, network: Cinn | RecordedPasses, photos: NDArray[np.float32]) -> list[Condition]:
        missing = self._photos - len(photos)
        filled = np.concatenate((photos, np.zeros((missing, *photos.shape[1:]), np.float32)))
        levels = network.condition(torch.from_numpy(filled)[:, None].to(self.device))
        return [[level[i : i + 1] for level in levels] for i in range(len(photos))]

    @torch.no_grad()
    def _sample_chunk(
        self, network: Cinn | RecordedPasses, conditions: Sequence[Condition], latents: Sequence[Tensor]
    ) -> Samples:
        condition = [torch.cat(level) for level in zip(*conditions, strict=True)]
        return network.sample(condition, [z.to(self.device) for z in latents])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run without gradients, and raise OutOfMemoryError where the device has no memory left.

        After it, passes are half as large, so that trying again may help.
        """
        try:
            with torch.no_grad():
                yield
        except (RuntimeError, MemoryError) as error:  # torch's own out-of-memory error is a RuntimeError
            if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and CPU_MEMORY_ERROR not in str(error):
                raise
            self._samples, self._photos = max(1, self._samples // 2), max(1, self._photos // 2)
            self.__dict__.pop("_network", None)  # recorded for the size before
            if self.device == "cuda":
                torch.cuda.empty_cache()
            reason = f"{error}".strip().rpartition("\n")[2]  # a recorded pass tells at length where it was
            raise OutOfMemoryError(f"{self.device} has no memory left: {reason}") from error

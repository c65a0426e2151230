"""Passes through the network that several photos share.

A chunk always has as many samples as any other: where there are fewer, it is filled up. Another number may take other
kernels, whose last bits differ; in chunks of one size a sample is the same to the bit, whatever is drawn beside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.cinn import Cinn, LogProb
from model.errors import NonFiniteError, OutOfMemoryError

__all__ = ["Condition", "Passes"]

SAMPLES = {"cpu": 4, "cuda": 16}
"""Samples of a chunk."""
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

    def condition(self, lightness: Sequence[NDArray[np.float32]]) -> list[Condition]:
        """Compute the condition of each photo, from (256, 256) L* in [0, 100]."""
        chunk = PHOTOS[self.device]
        conditions: list[Condition] = []
        for start in range(0, len(lightness), chunk):
            photos = np.stack(lightness[start : start + chunk])
            filled = np.concatenate((photos, np.zeros((chunk - len(photos), *photos.shape[1:]), np.float32)))
            levels = self.cinn.condition(torch.from_numpy(filled)[:, None].to(self.device))
            conditions += [[level[i : i + 1] for level in levels] for i in range(len(photos))]
        return conditions

    def sample(
        self, conditions: Sequence[Condition], latents: Sequence[Sequence[Tensor]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
        """Decode the latents of each photo, (N, dim) for each level, each photo with an N of its own.

        Returns (N, 2, 64, 64) a*b* and (N,) bits per dimension of each. Raises NonFiniteError.
        """
        numbers = [len(levels[0]) for levels in latents]
        owners = [photo for photo, n in enumerate(numbers) for _ in range(n)]
        chunk = SAMPLES[self.device]
        missing = -len(owners) % chunk
        owners += [0] * missing
        filled = [F.pad(torch.cat(level), (0, 0, 0, missing)) for level in zip(*latents, strict=True)]
        parts = []
        for start in range(0, len(owners), chunk):
            here = [conditions[photo] for photo in owners[start : start + chunk]]
            condition = [torch.cat(level) for level in zip(*here, strict=True)]
            parts.append(self.cinn.sample(condition, [z[start : start + chunk].to(self.device) for z in filled]))
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

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run without gradients, and raise OutOfMemoryError where the device has no memory left."""
        try:
            with torch.no_grad():
                yield
        except (RuntimeError, MemoryError) as error:  # torch's own out-of-memory error is a RuntimeError
            if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and CPU_MEMORY_ERROR not in str(error):
                raise
            if self.device == "cuda":
                torch.cuda.empty_cache()
            raise OutOfMemoryError(f"{self.device} has no memory left: {error}") from error

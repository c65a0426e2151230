"""Digits as a training loop asks for them: shuffled batches by epochs, the last digits kept back."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch

from research.digits.digits import Digits
from training.dataset import shuffle
from training.processes import Share

__all__ = ["DigitDataset"]


class DigitDataset:
    """Digits to train on, and those kept back to see how the likelihood holds on new digits."""

    def __init__(self, digits: Digits, held_out: int) -> None:
        """held_out: how many of the last digits are kept back."""
        self.train, self.held_out = digits.part(slice(-held_out)), digits.part(slice(-held_out, None))

    def batches(
        self,
        size: int,
        rng: np.random.Generator,
        share: Share = Share(),  # noqa: B008 - it is immutable
        skip: int = 0,
    ) -> Iterator[Digits]:
        """Yield shuffled batches without end, none shorter than the others; see `training.dataset.Dataset`."""
        for chosen in islice(shuffle(len(self.train), size, rng), skip, None):
            yield self.train.part(torch.from_numpy(chosen[share.rows]))

    def held_out_batches(self, size: int) -> Iterator[Digits]:
        """Yield the digits that are kept back, in order."""
        for start in range(0, len(self.held_out), size):
            yield self.held_out.part(slice(start, start + size))

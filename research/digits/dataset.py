"""Digits as a training loop asks for them: shuffled batches by epochs, the last digits kept back."""

import numpy as np
import torch
from numpy.typing import NDArray

from research.digits.digits import Digits
from training.dataset import Dataset

__all__ = ["DigitDataset"]


class DigitDataset(Dataset[Digits]):
    """Digits to train on, and those kept back to see how the likelihood holds on new digits."""

    def __init__(self, digits: Digits, held_out: int) -> None:
        """held_out: how many of the last digits are kept back."""
        super().__init__(np.arange(len(digits)), slice(len(digits) - held_out, None))
        self._digits = digits

    def _read(self, rows: NDArray[np.int64]) -> Digits:
        return self._digits.part(torch.from_numpy(rows))

"""Training of the digits' cINN by epochs, on the exact likelihood of noisy pixels."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from research.digits.digits import Digits, continuous
from research.digits.flow import DigitFlow
from training.dataset import Dataset
from training.loop import LoopConfig, Trainer
from training.objectives.objective import NATS_PER_BIT, Losses, Objective
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["EPOCHS", "LOOP", "make_trainer"]

EPOCHS = 36
HELD_OUT = 2000
"""Number of digits kept back, the last ones; at most a tenth of all."""
LOOP = LoopConfig(batch=256, betas=(0.9, 0.99), warmup_steps=300, ema_decay=0.998, processor_time=True)


class DigitDataset(Dataset[Digits]):
    """Digits to train on, and digits kept back to measure the likelihood of new ones."""

    def __init__(self, digits: Digits) -> None:
        super().__init__(np.arange(len(digits)), slice(-max(1, min(HELD_OUT, len(digits) // 10)), None))
        self._digits = digits

    def _read(self, rows: NDArray[np.int64]) -> Digits:
        return self._digits.part(torch.from_numpy(rows))


class DigitObjective(Objective[Digits]):
    """Negative log-likelihood of a digit, in bits per dimension of pixels in [0, 1]."""

    names = ("digits",)
    weight_decay = 0.1

    def __init__(self, flow: DigitFlow) -> None:
        self.flow = self.module = flow

    def compute(self, batch: Digits, generator: torch.Generator, share: Share = Share()) -> Losses:
        pixels = continuous(batch.images, self.flow.config.noise, generator, share)
        with mixed_precision(pixels.device):  # only the subnets: couplings compute in the pixels' float32
            bits = self.flow.nats(pixels, batch.labels).mean() / NATS_PER_BIT
        return Losses(bits.detach()[None], bits)

    def held_out(self, batch: Digits, generator: torch.Generator) -> Tensor:
        pixels = continuous(batch.images, self.flow.config.noise, generator)
        return self.flow.nats(pixels, batch.labels)[:, None] / NATS_PER_BIT


def make_trainer(flow: DigitFlow, digits: Digits, epochs: int, loop: LoopConfig = LOOP) -> Trainer[Digits]:
    """Return a trainer for a number of epochs that measures and saves after each."""
    dataset = DigitDataset(digits)
    epoch = max(1, len(dataset.train) // loop.batch)
    return Trainer(None, DigitObjective(flow), dataset, replace(loop, steps=epochs * epoch, checkpoint_steps=epoch))

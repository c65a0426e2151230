"""The digits' objective: exact likelihood of the pixels under noise."""

import torch
from torch import Tensor

from research.digits.digits import Digits, continuous
from research.digits.flow import DigitFlow
from training.objectives.objective import NATS_PER_BIT, Losses, Objective
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["DigitObjective"]


class DigitObjective(Objective[Digits]):
    """Negative log-likelihood of a digit, in bits per dimension of pixels in [0, 1]."""

    names = ("digits",)
    weight_decay = 0.1

    def __init__(self, flow: DigitFlow) -> None:
        self.flow = flow
        self.module = flow

    def compute(self, batch: Digits, generator: torch.Generator, share: Share = Share()) -> Losses:  # noqa: B008
        pixels = continuous(batch.images, self.flow.config.noise, generator, share)
        with mixed_precision(pixels.device):  # subnets only: the couplings compute in the pixels' float32
            bits = self.flow.nats(pixels, batch.labels).mean() / NATS_PER_BIT
        return Losses(bits.detach()[None], bits)

    def held_out(self, batch: Digits, generator: torch.Generator) -> Tensor:
        pixels = continuous(batch.images, self.flow.config.noise, generator)
        return self.flow.nats(pixels, batch.labels)[:, None] / NATS_PER_BIT

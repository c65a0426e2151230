"""The objective: exact negative log-likelihood of levels, with noise that smooths photos' 8-bit colors.

It also has a regression of the coloring at z = 0. The likelihood weighs an error by 1/variance, and a photo's overall
color varies most. So likelihood alone learns it late, and without the regression z = 0 stays nearly gray.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from research.couplings.cinn import CouplingCinn
from training.dataset import Batch
from training.objectives.objective import NATS_PER_BIT, Losses, Objective, draw_noise
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["LevelsObjective", "Noise"]

REGRESSION = 2.0
"""Weight of the regression; that of the likelihood is 1."""
REGRESSED = 2
"""One photo in so many is also decoded from z = 0, which costs as much as its likelihood."""
WEIGHT_DECAY = 0.02
COARSEST_WEIGHT_DECAY = 0.1
"""Larger, since the coarsest level overfits first."""


class Noise(NamedTuple):
    """Standard deviations of the Gaussian noise in training, in standardized a*b*."""

    finest: float = 0.05
    """noise on a*b* at 64×64"""
    coarser: float = 0.05
    """additional noise on the coarser a*b* of a level's condition, since samples differ slightly from data"""


class LevelsObjective(Objective[Batch]):
    """Negative log-likelihood of levels on the same batches, in bits per dimension of each."""

    def __init__(self, cinn: CouplingCinn, levels: Sequence[int], noise: Noise = Noise()) -> None:
        """levels: their indices, coarse to fine."""
        self.cinn, self.levels, self.noise = cinn, levels, noise
        sizes = [cinn.config.levels[level].size for level in levels]
        self.names = tuple(f"{size}²" for size in sizes)
        self.weight_decay = COARSEST_WEIGHT_DECAY if 8 in sizes else WEIGHT_DECAY
        self.module = nn.ModuleList(cinn.levels[level] for level in levels)
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:
        losses = [self._loss(level, batch, self.noise, generator, share) for level in self.levels]
        nats, errors = (torch.stack([each.mean() for each in kind]) for kind in zip(*losses, strict=True))
        return Losses(nats.detach() / NATS_PER_BIT, nats.sum() + REGRESSION * errors.sum())

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        noise = self.noise._replace(coarser=0.0)
        losses = [self._loss(level, batch, noise, generator, Share()) for level in self.levels]
        return torch.stack([nats for nats, _ in losses], 1) / NATS_PER_BIT

    def _loss(
        self, level: int, batch: Batch, noise: Noise, generator: torch.Generator, share: Share
    ) -> tuple[Tensor, Tensor]:
        """Return each photo's nats per dimension of the level, (B,), and the error of the decoded z = 0.

        The error is the mean square over the batch's first photos, in standardized data. Subnets run in mixed
        precision, the flow's arithmetic in float32. Source: Ardizzone et al. 2019 (arXiv 1907.02392), equation 7.
        """
        cinn, chroma, flow = self.cinn, batch.chroma, self.cinn.levels[level]
        noisy = chroma + noise.finest * cinn.chroma_std * draw_noise(chroma, generator, share)
        data, coarser = cinn.level_data(noisy)[level]
        if coarser is not None:
            coarser = coarser + noise.coarser * draw_noise(coarser, generator, share)
        with mixed_precision(chroma.device):
            condition = flow.sample_condition(flow.photo_condition(batch.features, batch.lightness), coarser)
            z, log_det = flow(data, condition)
            nats = 0.5 * z.square().sum(1) + 0.5 * flow.dims * math.log(2 * math.pi) - log_det
            some = data[: -(-len(data) // REGRESSED)]
            zero, _ = flow.inverse(torch.zeros_like(z[: len(some)]), condition.of_first(len(some)))
            errors = (flow.standardize(zero) - flow.standardize(some)).square()
        return nats / flow.dims, errors.flatten(1).mean(1)

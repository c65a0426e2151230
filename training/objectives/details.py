"""The finer levels' objective: exact likelihood of their details, and errors of the most likely details.

The decoder and all finer levels train together. Each level gets the true coarser a*b* with a little noise, since
samples of the coarser levels are never exactly like data. Likelihood alone weighs an error by 1/variance and learns the
means late, so the details decoded from z = 0, and the first layer's means, are regressed in addition.
"""

import math

import torch
from torch import Tensor, nn

from model.flow.cinn import Cinn, gaussian_log_prob
from model.flow.detail_level import DetailCondition, DetailLevel
from model.flow.haar import pyramid, split
from training.dataset import Batch
from training.objectives.objective import NATS_PER_BIT, Losses, Objective, draw_noise, matrices_of
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["COARSER_NOISE", "NOISE", "REGRESSION", "DetailsObjective", "level_losses"]

NOISE = 0.05
"""Standard deviation of the noise on standardized a*b* at 64×64."""
COARSER_NOISE = 0.05
"""Standard deviation of the further noise on the standardized coarser a*b* that a level gets."""
REGRESSION = 0.5
"""Weight of each squared error, relative to the likelihood."""
REGRESSED = 4
"""One photo in this many is also decoded from z = 0, which costs as much as the likelihood."""
SHARES = (1.0, 0.8, 0.5)
"""Share of steps that train 16², 32², 64²: coarse details matter more and cost less."""


class DetailsObjective(Objective[Batch]):
    """Negative log-likelihood of Haar details, in bits per dimension of each level, and squared errors."""

    weight_decay = 0.02

    def __init__(self, cinn: Cinn) -> None:
        self.cinn = cinn
        self.module = nn.ModuleList((cinn.decoder, *cinn.details))
        self.names = tuple(f"{level.config.size}²" for level in cinn.details)

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:
        """Compute the losses; see `Objective`. A level left out of this step has NaN."""
        sizes = self._sizes(batch, NOISE * draw_noise(batch.chroma, generator, share))
        use = [float(torch.rand((), generator=generator)) < rate for rate in SHARES]
        shown, minimized = [], []
        with mixed_precision(batch.chroma.device):
            maps = self.cinn.decoder(batch.features, batch.lightness)
            for i, level in enumerate(self.cinn.details):
                noise = COARSER_NOISE * draw_noise(sizes[i], generator, share)  # drawn alike, used or not
                if not use[i]:
                    shown.append(sizes[0].new_tensor(math.nan))
                    continue
                condition = level.sample_condition(maps[i], sizes[i] + noise)
                nats, errors = level_losses(level, condition, split(sizes[i + 1])[1])
                shown.append(nats.detach() / NATS_PER_BIT)
                minimized.append(nats + REGRESSION * errors)
        # a process whose step trains everything has gradients for everything
        return Losses(torch.stack(shown), torch.stack(minimized).sum())

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        sizes = self._sizes(batch, NOISE * draw_noise(batch.chroma, generator, Share()))
        parts = []
        with mixed_precision(batch.chroma.device):
            maps = self.cinn.decoder(batch.features, batch.lightness)
            for i, level in enumerate(self.cinn.details):
                condition = level.sample_condition(maps[i], sizes[i])
                z, log_det = level(split(sizes[i + 1])[1], condition)
                parts.append(-(gaussian_log_prob(z) + log_det) / level.dims / NATS_PER_BIT)
        return torch.stack(parts, 1)

    def matrices(self) -> list[nn.Parameter]:
        """Return all weights but those of layers whose outputs are means, scales or shares of a mixture."""
        ends = {id(layer.weight) for level in self.cinn.details for layer in _ends(level)}
        return [weight for weight in matrices_of(self.module) if id(weight) not in ends]

    def _sizes(self, batch: Batch, noise: Tensor) -> list[Tensor]:
        chroma = (batch.chroma - self.cinn.chroma_mean) / self.cinn.chroma_std
        return pyramid(chroma + noise, len(self.cinn.details))


def _ends(level: DetailLevel) -> list[nn.Conv2d]:
    return [level.ends, level.logits, *(subnet.last for subnet in level.subnets)]


def level_losses(level: DetailLevel, condition: DetailCondition, details: Tensor) -> tuple[Tensor, Tensor]:
    """Return nats per dimension, and the squared errors of the first means and of the details decoded from z = 0.

    details: (B, *data_shape) of the level.
    """
    z, log_det = level(details, condition)
    nats = -(gaussian_log_prob(z) + log_det).mean() / level.dims
    means = condition.first.float().chunk(2, 1)[0]
    first = ((details - condition.prediction) / level.std - means).square().mean()
    some = -(-len(details) // REGRESSED)
    zero, _ = level.inverse(torch.zeros_like(z[:some]), condition.of_first(some))
    return nats, first + ((zero - details[:some]) / level.std).square().mean()

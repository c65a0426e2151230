"""The critic's objective: tell photos' own a*b* at 8×8 from draws of the coarsest level."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.haar import pyramid
from training.dataset import Batch
from training.objectives.objective import Losses, Objective, draw_noise, matrices_of
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["CriticObjective"]

TEMPERATURES = (0.45, 1.0)
"""Draws are made at temperatures evenly from this range: those at which the critic will choose."""
NOISE = 0.02
"""Noise as at the coarsest level: the smoothness of 8 bits must not give true a*b* away."""


class CriticObjective(Objective[Batch]):
    """Binary cross-entropy of true against drawn, in nats."""

    names = ("critic",)
    weight_decay = 0.1

    def __init__(self, cinn: Cinn) -> None:
        self.cinn = cinn
        self.module = cinn.critic

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:  # noqa: B008
        loss = self._loss(batch, generator, share).mean()
        return Losses(loss.detach()[None], loss)

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._loss(batch, generator, Share())[:, None]

    def matrices(self) -> list[nn.Parameter]:
        """Return the linear layers' weights, but for the last's."""
        return [weight for weight in matrices_of(self.cinn.critic) if weight is not self.cinn.critic.output.weight]

    def _loss(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        level = self.cinn.coarsest
        chroma = (batch.chroma - self.cinn.chroma_mean) / self.cinn.chroma_std
        true = pyramid(chroma, len(self.cinn.details))[0]
        true = level.standardize(true + NOISE * draw_noise(true, generator, share))
        z = draw_noise(true.new_empty(len(true), level.dims), generator, share)
        low, high = TEMPERATURES
        temperature = low + (high - low) * torch.rand(len(true) * share.of, generator=generator)[share.rows].to(z)
        with torch.no_grad(), mixed_precision(true.device):
            level.eval()  # draws as it will draw
            photo = level.photo_condition(batch.features, batch.lightness)
            drawn = level.standardize(level.draw(z, photo, temperature))
        with mixed_precision(true.device):
            odds = self.cinn.critic(torch.cat((true, drawn)), torch.cat((photo, photo))).float()
        truth = torch.from_numpy(np.repeat((1.0, 0.0), len(true))).to(odds)
        return F.binary_cross_entropy_with_logits(odds, truth, reduction="none").view(2, -1).mean(0)

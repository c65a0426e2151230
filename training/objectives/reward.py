"""The reward model's objective: people's ratings of several draws of one photo."""

import torch
import torch.nn.functional as F
from torch import Tensor

from model.flow.reward import RewardModel
from training.objectives.objective import Losses, Objective, draw_noise
from training.processes import Share
from training.rated import RatedBatch

__all__ = ["RewardObjective"]

NOISE = 0.05
"""Standard deviation of the noise on standardized a*b* of the cells."""


class RewardObjective(Objective[RatedBatch]):
    """Huber loss of rewards against ratings, both minus their means over the photo's rated draws."""

    names = ("reward",)
    weight_decay = 0.1

    def __init__(self, reward: RewardModel) -> None:
        self.module = self._reward = reward

    def compute(self, batch: RatedBatch, generator: torch.Generator, share: Share = Share()) -> Losses:
        noisy = batch.cells + NOISE * draw_noise(batch.cells, generator, share)
        return super().compute(batch._replace(cells=noisy), generator, share)

    def held_out(self, batch: RatedBatch, generator: torch.Generator) -> Tensor:
        rewards = self.rewards(batch)
        rated = batch.votes.isfinite()
        votes = batch.votes.where(rated, 0)
        errors = F.huber_loss(_centered(rewards, rated), _centered(votes, rated), reduction="none")
        return ((errors * rated).sum(1) / rated.sum(1))[:, None]

    def rewards(self, batch: RatedBatch) -> Tensor:
        """Return the reward of each draw, (B, K)."""
        photo = batch.photo[:, None].expand(-1, batch.votes.shape[1], -1, -1).flatten(0, 1)
        return self._reward(photo, batch.cells.flatten(0, 1), batch.densities.flatten(0, 1)).view_as(batch.votes)


def _centered(values: Tensor, rated: Tensor) -> Tensor:
    """Subtract each row's mean over rated draws."""
    return values - (values * rated).sum(1, keepdim=True) / rated.sum(1, keepdim=True)

"""An objective of the distilled decoder: which of several draws of a photo to prefer, as much as they are worth.

Where `distilled` maximizes the likelihood of the best draws, whatever the others are, this compares all of them. What
all draws of a photo have in common cancels out, so that little noise is left of which to learn.
"""

import copy

import torch
from torch import Tensor

from model.flow.cinn import Cinn
from training.draws import PreferredBatch
from training.objectives.objective import Losses, Objective
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["PreferredObjective"]

STRENGTH = 2.9
"""Nats by which a draw shall be likelier than before that is worth one standard deviation more."""
DRIFT = 0.1
"""Weight of the square of the nats by which all draws of a photo together become likelier or less likely."""


class PreferredObjective(Objective[PreferredBatch]):
    """Squared errors, in nats², of how much likelier each draw has become, against STRENGTH times what it is worth.

    Both less their means over a photo's draws. The optimum is the decoder as it was, its density multiplied by
    exp(STRENGTH · worth).
    Source: Gao et al. 2024, REBEL: Reinforcement Learning via Regressing Relative Rewards (arXiv 2404.16767).
    """

    names = ("preferred",)
    weight_decay = 0.01

    def __init__(self, cinn: Cinn) -> None:
        """cinn: its distilled decoder is trained, and made the draws."""
        self._level = cinn.coarsest
        self._before = copy.deepcopy(cinn.distilled).requires_grad_(False)
        self.module = self._decoder = cinn.distilled.requires_grad_(True)

    def compute(self, batch: PreferredBatch, generator: torch.Generator, share: Share = Share()) -> Losses:  # noqa: B008
        loss = self._losses(batch).mean()
        return Losses(loss.detach()[None], loss)

    @torch.no_grad()
    def held_out(self, batch: PreferredBatch, generator: torch.Generator) -> Tensor:
        return self._losses(batch)[:, None]

    def gains(self, batch: PreferredBatch) -> Tensor:
        """Return by how many nats each draw has become likelier: (B, K)."""
        draws = batch.cells.shape[1]
        given = batch.given.bool()
        order = self._level.given_first(given)
        cells = batch.cells.gather(2, order[:, None, :, None].expand(-1, draws, -1, 2)).flatten(0, 1)
        with mixed_precision(cells.device):
            with torch.no_grad():
                told = [part.repeat_interleave(draws, 0) for part in self._level.told(batch.photo, order)]
                before = self._before.decode(cells, *told)
            now = self._decoder.decode(cells, *told)
        drawn = ~given.gather(1, order).repeat_interleave(draws, 0)
        return ((now.log_prob(cells) - before.log_prob(cells)) * drawn).sum(1).view(-1, draws)

    def _losses(self, batch: PreferredBatch) -> Tensor:
        """Return the loss of each photo, (B,)."""
        gains = self.gains(batch)
        drift = gains.mean(1)
        wanted = STRENGTH * (batch.worth - batch.worth.mean(1, keepdim=True))
        return (gains - drift[:, None] - wanted).square().mean(1) + DRIFT * drift.square()

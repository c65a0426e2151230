"""The distilled decoder's objective: likelihood of the best draws of the coarsest level."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from model.flow.cinn import Cinn
from training.draws import DrawnBatch
from training.objectives.objective import NATS_PER_BIT, Objective
from training.precision import mixed_precision

__all__ = ["DistilledObjective"]


class DistilledObjective(Objective[DrawnBatch]):
    """Negative log-likelihood of the drawn cells, standardized, in bits per dimension.

    Source: Kim and Rush 2016, Sequence-Level Knowledge Distillation (arXiv 1606.07947).
    """

    names = ("distilled",)
    weight_decay = 0.01

    def __init__(self, cinn: Cinn) -> None:
        self._level = cinn.coarsest
        self.module = self._decoder = cinn.distilled

    @torch.no_grad()
    def start(self, batches: Sequence[DrawnBatch]) -> None:
        """Start from the level's own decoder if that finds the draws likelier."""
        before, learned = copy.deepcopy(self._decoder.state_dict()), self._level.state_dict()
        of_before = self._mean(batches)
        self._decoder.load_state_dict({name: learned[name] for name in before})
        if of_before < self._mean(batches):
            self._decoder.load_state_dict(before)

    def held_out(self, batch: DrawnBatch, generator: torch.Generator) -> Tensor:
        """Return the mean over cells that were not given, (B, 1)."""
        given = batch.given.bool()
        order = self._level.given_first(given)
        cells = batch.cells.gather(1, order[..., None].expand(-1, -1, 2))
        with mixed_precision(cells.device):
            with torch.no_grad():
                told = self._level.told(batch.photo, order)
            mixtures = self._decoder.decode(cells, *told)
        drawn = ~given.gather(1, order)
        nats = (mixtures.log_prob(cells) * drawn).sum(1) / drawn.sum(1).clamp_min(1)
        return -nats[:, None] / (2 * NATS_PER_BIT)

    def _mean(self, batches: Sequence[DrawnBatch]) -> float:
        self.module.eval()
        return float(torch.cat([self.held_out(batch, torch.Generator()) for batch in batches]).mean())

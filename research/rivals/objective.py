"""Objectives of a rival's players."""

import torch
from torch import Tensor

from research.rivals.checkpoint import RivalColorizer
from training.dataset import Batch
from training.objectives.objective import Losses, Objective
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["PlayerObjective", "objectives"]


class PlayerObjective(Objective[Batch]):
    """One player's loss. Only the first player's shows how training goes, on photos kept back."""

    weight_decay = 0.02

    def __init__(self, colorizer: RivalColorizer, player: str, shown: bool) -> None:
        self.colorizer, self.player = colorizer, player
        self.names = (colorizer.name,) if shown else ()
        self.module = colorizer.rival.players()[player]

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:  # noqa: B008
        """Compute the losses; see `Objective`. Latents are drawn for this process's photos alone."""
        with mixed_precision(batch.chroma.device):
            loss = self.colorizer.rival.loss(self.player, batch, self._target(batch), generator)
        return Losses(loss.detach().expand(len(self.names)), loss)

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the losses of photos held out, the same for all of a batch; see `Objective`."""
        photos, shown = len(batch.chroma), len(self.names)
        if not shown:
            return batch.chroma.new_empty(photos, 0)
        with mixed_precision(batch.chroma.device):
            return self.colorizer.rival.held_out_loss(batch, self._target(batch), generator).expand(photos, shown)

    def _target(self, batch: Batch) -> Tensor:
        return (batch.chroma - self.colorizer.chroma_mean) / self.colorizer.chroma_std


def objectives(colorizer: RivalColorizer) -> list[PlayerObjective]:
    """Return an objective for each player, in the order of their turns."""
    return [PlayerObjective(colorizer, player, i == 0) for i, player in enumerate(colorizer.rival.players())]

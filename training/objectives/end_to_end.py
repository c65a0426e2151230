"""The joint objective of h, level 8² and the finer levels, which trains all layers of h for these."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.condition import ConditionFeatures
from training.dataset import Batch, PhotoBatch
from training.objectives.coarsest import CoarsestObjective
from training.objectives.details import DetailsObjective
from training.objectives.objective import Losses, Objective
from training.precision import mixed_precision
from training.processes import Share
from training.unfreeze import unfreeze

__all__ = ["EndToEndObjective"]


class EndToEndObjective(Objective[PhotoBatch]):
    """The losses of level 8² and of the finer levels, with features of the h in training.

    The distilled decoder, the prior and the reward model stay unchanged.
    """

    weight_decay = 0.02
    paces: Mapping[str, float] = {"network.": 0.3, "coarsest.": 0.06}

    def __init__(self, cinn: Cinn) -> None:
        unfreeze(cinn.network, first=0)
        self._network = cinn.network
        self._parts = (CoarsestObjective(cinn), DetailsObjective(cinn))
        self.names = tuple(name for part in self._parts for name in part.names)
        coarsest, details = (part.module for part in self._parts)
        self.module = nn.ModuleDict({"network": self._network, "coarsest": coarsest, "details": details})

    def compute(self, batch: PhotoBatch, generator: torch.Generator, share: Share = Share()) -> Losses:
        seen = self._see(batch)
        coarsest, details = (part.compute(seen, generator, share) for part in self._parts)
        return Losses(torch.cat((coarsest.shown, details.shown)), coarsest.minimized + details.minimized)

    def held_out(self, batch: PhotoBatch, generator: torch.Generator) -> Tensor:
        seen = self._see(batch)
        return torch.cat([part.held_out(seen, generator) for part in self._parts], 1)

    def _see(self, batch: PhotoBatch) -> Batch:
        lightness = batch.lightness.contiguous(memory_format=torch.channels_last)
        with mixed_precision(lightness.device):
            features = self._network(lightness)
        return Batch(ConditionFeatures(*(each.float() for each in features)), F.avg_pool2d(lightness, 2), batch.chroma)

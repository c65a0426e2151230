"""The objective of seeing through wear: h computes the same from a worn photo as from the original."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from model.flow.cinn import Cinn
from model.flow.condition import ConditionFeatures, ConditionNetwork
from model.flow.sizes import SIDE
from training.objectives.objective import Objective
from training.precision import mixed_precision
from training.unfreeze import unfreeze
from training.worn import WornBatch

__all__ = ["WornObjective"]


class WornObjective(Objective[WornBatch]):
    """Squared differences of h's features and of the cells' condition, whose variances are near 1.

    Everything after h stays unchanged. Source: Romero et al. 2015, FitNets (arXiv 1412.6550).
    """

    names = ("features", "cells")
    weight_decay = 0.0

    def __init__(self, cinn: Cinn) -> None:
        self._level = cinn.coarsest.eval().requires_grad_(False)
        self._before = copy.deepcopy(cinn.network).eval().requires_grad_(False)
        unfreeze(cinn.network, first=0)
        self.module = self._network = cinn.network

    def held_out(self, batch: WornBatch, generator: torch.Generator) -> Tensor:
        with mixed_precision(batch.worn.device):
            with torch.no_grad():
                features, cells = self._see(self._before, batch.whole)
            seen, seen_cells = self._see(self._network, batch.worn)
        parts = [_difference(*pair, batch.shown) for pair in zip(seen, features, strict=True)]
        seen_map, cell_map = (each.mT.reshape(len(each), -1, SIDE, SIDE) for each in (seen_cells, cells))
        return torch.stack((torch.stack(parts).mean(0), _difference(seen_map, cell_map, batch.shown)), 1)

    def _see(self, network: ConditionNetwork, lightness: Tensor) -> tuple[ConditionFeatures, Tensor]:
        features = network(lightness.contiguous(memory_format=torch.channels_last))
        return features, self._level.photo_condition(features, F.avg_pool2d(lightness, 2))


def _difference(x: Tensor, target: Tensor, shown: Tensor) -> Tensor:
    """Return the mean squared difference over the visible photo, (B,).

    x, target: (B, C, H, W), or (B, C) of the whole photo. shown: (B, 1, 256, 256).
    """
    squares = (x.float() - target.float()).square().mean(1)
    if squares.dim() == 1:
        return squares
    weights = F.interpolate(shown, squares.shape[1:], mode="area")[:, 0]
    return (weights * squares).sum((1, 2)) / weights.sum((1, 2))

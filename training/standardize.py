"""Means and scales of the training photos, set before the first step of training."""

import numpy as np
import torch
from torch import Tensor

from model.flow.cinn import Cinn
from model.flow.haar import split
from training.dataset import FeatureDataset

__all__ = ["draw_chroma", "standardize"]

BATCH = 64
PHOTOS = 4096
DETAIL_SCALE = 0.8
"""Approximate share of the details left after color propagation; the level's first layer learns the exact scale."""


def standardize(cinn: Cinn, dataset: FeatureDataset) -> None:
    """Set the mean and standard deviation of a* and b*, then each level's mean and scale.

    Details keep a mean of 0: training learns the details for z = 0.
    """
    chroma = draw_chroma(dataset).to(cinn.chroma_mean.device)
    cinn.chroma_mean.copy_(chroma.mean((0, 2, 3))[:, None, None])
    cinn.chroma_std.copy_(chroma.std((0, 2, 3))[:, None, None])
    sizes = cinn.pyramid(chroma)
    cinn.coarsest.mean.copy_(sizes[0].mean((0, 2, 3))[:, None, None])
    cinn.coarsest.std.copy_(sizes[0].std((0, 2, 3))[:, None, None])
    for level, finer in zip(cinn.details, sizes[1:], strict=True):
        level.std.copy_(DETAIL_SCALE * split(finer)[1].std((0, 2, 3))[:, None, None])


def draw_chroma(dataset: FeatureDataset) -> Tensor:
    """Return the a*b* of some thousand training photos, (N, 2, 64, 64)."""
    batch = min(BATCH, len(dataset.train))
    batches = dataset.batches(batch, np.random.default_rng(0))
    count = -(-min(PHOTOS, len(dataset.train)) // batch)
    return torch.cat([next(batches).chroma for _ in range(count)])

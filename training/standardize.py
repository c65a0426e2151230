"""Means and scales of the training photos, set before the first step."""

import numpy as np
import torch

from model.flow.cinn import Cinn
from training.dataset import FeatureDataset
from training.objective import level_data

__all__ = ["standardize"]

BATCH = 64
PHOTOS = 4096


def standardize(cinn: Cinn, dataset: FeatureDataset) -> None:
    """Set the mean and standard deviation of a* and b*, then each level's mean and scale.

    Details keep a mean of 0, so that a latent of 0 adds none.
    """
    batch = min(BATCH, len(dataset.train))
    batches = dataset.batches(batch, np.random.default_rng(0))
    count = -(-min(PHOTOS, len(dataset.train)) // batch)
    chroma = torch.cat([next(batches).chroma for _ in range(count)]).to(cinn.chroma_mean.device)
    cinn.chroma_mean.copy_(chroma.mean((0, 2, 3))[:, None, None])
    cinn.chroma_std.copy_(chroma.std((0, 2, 3))[:, None, None])
    for level, flow in enumerate(cinn.levels):
        data, _ = level_data(cinn, level, chroma)
        if level == 0:
            flow.mean.copy_(data.mean((0, 2, 3))[:, None, None])
        flow.std.copy_(data.std((0, 2, 3))[:, None, None])

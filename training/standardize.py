"""Means and scales of the training photos, set before the first step."""

import numpy as np
import torch

from model.cinn import Cinn
from training.dataset import FeatureDataset
from training.objective import level_data

__all__ = ["standardize_chroma", "standardize_level"]

BATCH = 64
PHOTOS = 4096


def standardize_chroma(cinn: Cinn, dataset: FeatureDataset) -> None:
    """Set the mean and standard deviation of a* and b* over the training photos."""
    chroma = torch.cat(_chroma(dataset))
    cinn.chroma_mean.copy_(chroma.mean((0, 2, 3))[:, None, None])
    cinn.chroma_std.copy_(chroma.std((0, 2, 3))[:, None, None])


def standardize_level(cinn: Cinn, level: int, dataset: FeatureDataset) -> None:
    """Set a level's mean and scale. Details keep a mean of 0, so that a latent of 0 adds none."""
    data = torch.cat([level_data(cinn, level, chroma)[0] for chroma in _chroma(dataset)])
    flow = cinn.levels[level]
    if level == 0:
        flow.mean.copy_(data.mean((0, 2, 3))[:, None, None])
    flow.std.copy_(data.std((0, 2, 3))[:, None, None])


def _chroma(dataset: FeatureDataset) -> list[torch.Tensor]:
    batch = min(BATCH, len(dataset.train))
    batches = dataset.batches(batch, np.random.default_rng(0))
    return [next(batches).chroma for _ in range(-(-min(PHOTOS, len(dataset.train)) // batch))]

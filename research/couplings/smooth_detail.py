"""Haar details relative to a smooth upsampling, so that a latent of 0 gives a smooth coloring without 2×2 blocks."""

import torch.nn.functional as F
from torch import Tensor

from model.flow.haar import join, split

__all__ = ["detail", "join_detail"]


def _predicted_detail(coarser: Tensor) -> Tensor:
    """Return the Haar details of a smooth upsampling."""
    return split(F.interpolate(coarser, scale_factor=2, mode="bicubic", align_corners=False))[1]


def detail(finer: Tensor) -> Tensor:
    """Return the details that (B, C, S, S) adds to a smooth upsampling of its half-size mean: (B, 3C, S/2, S/2)."""
    coarser, details = split(finer)
    return details - _predicted_detail(coarser)


def join_detail(coarser: Tensor, difference: Tensor) -> Tensor:
    """Undo `detail`: (B, C, S, S) and (B, 3C, S, S) to (B, C, 2S, 2S)."""
    return join(coarser, difference + _predicted_detail(coarser))

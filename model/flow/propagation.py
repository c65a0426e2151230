"""Color propagation: every pixel of a size takes a mixture of the colors of the coarser pixels around it."""

import torch.nn.functional as F
from torch import Tensor

from model.flow.constants import TAPS

__all__ = ["propagate"]


def propagate(coarser: Tensor, logits: Tensor, recalled: Tensor) -> Tensor:
    """Mix the TAPS × TAPS coarser pixels around each finer pixel and colors recalled for it, weighted by softmax.

    coarser: (B, C, s, s). logits: (B, TAPS² + R, 2s, 2s), row by row of the neighborhood, then the recalled. recalled:
    (B, R, C, 2s, 2s), R may be 0. Returns (B, C, 2s, 2s). A mixture is convex, so no color appears that is not
    among its inputs: a hand takes the color of skin beside it, not half of it.
    Source: the convex upsampling of Teed and Deng 2020, RAFT (arXiv 2003.12039).
    """
    b, channels, height, width = coarser.shape
    padded = F.pad(coarser, (TAPS // 2,) * 4, mode="replicate")
    neighbors = F.unfold(padded, TAPS).view(b, channels, TAPS**2, height, 1, width, 1)
    weights = logits.to(coarser.dtype).softmax(1)
    near, far = weights[:, : TAPS**2], weights[:, TAPS**2 :]
    near = near.reshape(len(logits), 1, TAPS**2, height, 2, width, 2)
    mixed = (neighbors * near).sum(2).reshape(-1, channels, 2 * height, 2 * width)
    return mixed + (recalled * far[:, :, None]).sum(1)

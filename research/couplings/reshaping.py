"""Reshape downsampling: four pixels become four channels, unchanged."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ReshapeDownsampling"]


class ReshapeDownsampling(nn.Module):
    """Space to depth, (B, C, H, W) ↔ (B, 4C, H/2, W/2), log-det 0.

    The first C channels are the upper left pixels, then come the upper right, lower left and lower right ones.
    Source: Jacobsen et al. 2018 (arXiv 1802.07088).
    """

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Downsample; H and W must be even."""
        b, c, h, w = x.shape
        patches = F.pixel_unshuffle(x, 2).view(b, c, 4, h // 2, w // 2)
        return patches.transpose(1, 2).reshape(b, 4 * c, h // 2, w // 2), x.new_zeros(b)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Upsample; the channel count must be a multiple of 4."""
        b, c, h, w = z.shape
        patches = z.reshape(b, 4, c // 4, h, w).transpose(1, 2)
        return F.pixel_shuffle(patches.reshape(b, c, h, w), 2), z.new_zeros(b)

"""Haar downsampling: four pixels become their mean and three differences, at half the size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.constants import HAAR_KERNELS

__all__ = ["HaarDownsampling", "join", "pyramid", "split"]


class HaarDownsampling(nn.Module):
    """Orthonormal Haar transform, (B, C, H, W) ↔ (B, 4C, H/2, W/2), log-det 0.

    The first C channels are the patch sums halved (twice the mean), then come the horizontal, vertical and diagonal
    differences of C channels each. Source: Ardizzone et al. 2019 (arXiv 1907.02392), section 3.1.
    """

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", torch.tensor(HAAR_KERNELS), persistent=False)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Downsample; H and W must be even."""
        b, c, h, w = x.shape
        patches = F.pixel_unshuffle(x, 2).view(b, c, 4, h // 2, w // 2)
        with torch.autocast(x.device.type, enabled=False):  # autocast would round to bfloat16
            z = torch.einsum("kp,bcphw->bkchw", self.kernels.to(x), patches)
        return z.reshape(b, 4 * c, h // 2, w // 2), x.new_zeros(b)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Upsample; the channel count must be a multiple of 4."""
        b, c, h, w = z.shape
        bands = z.reshape(b, 4, c // 4, h, w)
        with torch.autocast(z.device.type, enabled=False):
            patches = torch.einsum("kp,bkchw->bcphw", self.kernels.to(z), bands)
        return F.pixel_shuffle(patches.reshape(b, c, h, w), 2), z.new_zeros(b)


def pyramid(finest: Tensor, steps: int) -> list[Tensor]:
    """Halve (B, C, S, S) `steps` times by averaging; return all sizes, coarse to fine."""
    sizes = [finest]
    for _ in range(steps):
        sizes.insert(0, F.avg_pool2d(sizes[0], 2))
    return sizes


_haar = HaarDownsampling()


def split(finer: Tensor) -> tuple[Tensor, Tensor]:
    """Split (B, C, S, S) into its half-size mean, (B, C, S/2, S/2), and Haar details, (B, 3C, S/2, S/2)."""
    bands = _haar(finer)[0]
    channels = finer.shape[1]
    return bands[:, :channels] / 2, bands[:, channels:]


def join(coarser: Tensor, details: Tensor) -> Tensor:
    """Undo `split`: (B, C, S, S) and (B, 3C, S, S) to (B, C, 2S, 2S)."""
    return _haar.inverse(torch.cat((2 * coarser, details), 1))[0]

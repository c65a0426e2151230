"""Affine coupling: one part of the channels scales and shifts the other."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.affine import soft_clamp
from model.flow.composition import zeroed
from model.flow.constants import INPUT_LIMIT, SCALE_LIMIT

__all__ = ["AffineCoupling", "ConvSubnet"]


class ConvSubnet(nn.Module):
    """3×3, 1×1, 3×3 convolutions with ReLU, as in GLOW; the last starts at zero.

    The condition's share of the first convolution is computed outside, once per photo, and added:
    conv([x, c]) = conv_x(x) + conv_c(c). Source: Kingma and Dhariwal 2018 (arXiv 1807.03039).
    """

    def __init__(self, in_channels: int, width: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.middle = nn.Conv2d(width, width, 1)
        self.last = zeroed(nn.Conv2d(width, out_channels, 3, padding=1))

    def forward(self, x: Tensor, share: Tensor) -> Tensor:
        """x: (B, in, H, W); share: (B or 1, width, H, W). Returns (B, out, H, W)."""
        h = F.relu(self.first(x) + share)
        return self.last(F.relu(self.middle(h)))


class AffineCoupling(nn.Module):
    """One-sided affine coupling: x₁ passes, x₂ becomes x₂·exp(s(x₁, c)) + t(x₁, c).

    The subnet may run in bfloat16; scaling, shifting and the log-det are done in x's own type.
    Source: Dinh et al. 2017 (arXiv 1605.08803), soft clamp of Ardizzone et al. 2019 (arXiv 1907.02392).
    """

    def __init__(self, channels: int, subnet: Callable[[int, int, int], nn.Module], width: int) -> None:
        """subnet: built from in-channels, width and out-channels; takes x₁ and its share of the condition."""
        super().__init__()
        self.passed = channels // 2
        self.subnet = subnet(self.passed, width, 2 * (channels - self.passed))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, …); condition: the subnet's share."""
        x1, x2 = x[:, : self.passed], x[:, self.passed :]
        log_scale, shift = self.scale_and_shift(x1, condition)
        return torch.cat((x1, x2 * torch.exp(log_scale) + shift), 1), log_scale.flatten(1).sum(1)

    def inverse(self, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z: (B, C, …); condition: the subnet's share."""
        z1, z2 = z[:, : self.passed], z[:, self.passed :]
        log_scale, shift = self.scale_and_shift(z1, condition)
        return torch.cat((z1, (z2 - shift) * torch.exp(-log_scale)), 1), -log_scale.flatten(1).sum(1)

    def scale_and_shift(self, x1: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-scale and the shift of x₂, each (B, C − passed, …). x1: (B, passed, …)."""
        raw, shift = self.subnet(soft_clamp(x1, INPUT_LIMIT), share).to(x1.dtype).chunk(2, 1)
        return soft_clamp(raw, SCALE_LIMIT), shift

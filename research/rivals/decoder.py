"""The decoder of all rivals, from h's features to a*b* at 64×64."""

import itertools
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.composition import module_list, zeroed
from model.flow.condition import ConditionFeatures
from model.flow.residual import ResidualBlock
from research.couplings.head import Head

__all__ = ["Decoder", "DecoderConfig"]

GRIDS = (8, 16, 32)


@dataclass(frozen=True)
class DecoderConfig:
    """Configuration of a decoder."""

    widths: tuple[int, int, int] = (192, 128, 64)
    """channels at 8×8, 16×16 and 32×32"""
    blocks: int = 1
    """residual blocks on each grid"""
    head_blocks: int = 1
    dropout: float = 0.1
    """dropout of feature channels, in the heads"""
    latent_channels: int = 4
    """channels of the latent, which lies on the 8×8 grid; 0 means no latent"""


class Decoder(nn.Module):
    """Coarse-to-fine decoder. Each grid has a head like a level of the flow; the last convolution starts at zero."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        sizes = list(zip(GRIDS, widths, strict=True))
        self.heads = module_list(Head(grid, width, config.head_blocks, config.dropout) for grid, width in sizes)
        self.refine = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(config.blocks))) for width in widths
        )
        self.widen = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for coarse, fine in itertools.pairwise(widths))
        self.latent = nn.Conv2d(config.latent_channels, widths[0], 1) if config.latent_channels else None
        self.last = zeroed(nn.Conv2d(widths[-1], 2 * 2**2, 3, padding=1))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Return the shape of one photo's latent."""
        return self.config.latent_channels, GRIDS[0], GRIDS[0]

    def forward(self, features: ConditionFeatures, lightness: Tensor, z: Tensor) -> Tensor:
        """Return standardized a*b*, (B, 2, 64, 64).

        features: of h. lightness: (B, 1, 128, 128), L* in [0, 100]. Both may have B = 1. z: (B, *latent_shape).
        """
        h = self.heads[0](features, lightness)
        if self.latent is not None:
            h = h + self.latent(z)
        h = self.refine[0](h)
        for head, widen, refine in zip(self.heads[1:], self.widen, self.refine[1:], strict=True):
            h = head(features, lightness) + F.interpolate(widen(h), scale_factor=2, mode="bilinear")
            h = refine(h)
        return F.pixel_shuffle(self.last(F.relu(h)), 2)

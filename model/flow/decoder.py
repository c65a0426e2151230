"""The decoder of the condition: from h's coarse features to every size at which details are drawn."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.composition import module_list
from model.flow.condition import ConditionFeatures
from model.flow.config import DecoderConfig
from model.flow.constants import FEATURE_CHANNELS, SKIPS, SMALL_LIGHTNESS
from model.flow.residual import ResidualBlock
from model.flow.transformer import TransformerBlock

__all__ = ["Decoder"]


class Attention(nn.Module):
    """Transformer blocks among all pixels of a map."""

    def __init__(self, width: int, size: int, heads: int, count: int) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(size**2, width) * 0.02)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, width, size, size). Returns the same shape."""
        h = x.flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            h = block(h)
        return h.transpose(1, 2).reshape(x.shape)


class Decoder(nn.Module):
    """The second half of a U-Net, run once per photo: semantics from h's coarse features, edges from the lightness.

    Source: Ronneberger et al. 2015, U-Net (arXiv 1505.04597).
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        first, rest = config.widths[0], config.widths[1:]
        self.whole = nn.Linear(FEATURE_CHANNELS["at_1"][1], first, bias=False)
        self.coarsest = nn.Conv2d(FEATURE_CHANNELS["at_8"][1], first, 1)
        self.patch = SMALL_LIGHTNESS // config.sizes[-1]
        stem, finer = [], self.patch**2
        for width in reversed(config.stem_widths):
            stem.append(nn.Conv2d(finer, width, 3, padding=1))
            finer = 4 * width
        self.stem = module_list(stem)
        self.down = _convs((wide, narrow, True) for wide, narrow in zip(config.widths, rest, strict=False))
        skips = {
            str(size): nn.Conv2d(FEATURE_CHANNELS[SKIPS[size]][1], width, 1, bias=False)
            for size, width in zip(config.sizes[1:], rest, strict=True)
            if size in SKIPS
        }
        self.skips = cast(Mapping[str, nn.Conv2d], nn.ModuleDict(skips))
        self.edges = _convs((stem, width, False) for stem, width in zip(config.stem_widths, rest, strict=True))
        self.blocks = module_list(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(config.widths, config.blocks, strict=True)
        )
        stages = zip(config.widths, config.sizes, config.heads, config.attention, strict=True)
        self.attention = module_list(
            Attention(width, size, heads, count) if count else nn.Identity() for width, size, heads, count in stages
        )

    def forward(self, features: ConditionFeatures, lightness: Tensor) -> list[Tensor]:
        """Return maps of 16², 32² and 64², (B, width, S, S) each, coarse to fine.

        features: from h, standardized. lightness: (B, 1, 128, 128), L* in [0, 100].
        """
        seen = self._stem(lightness)
        h = self.coarsest(self._hide(features.at_8))
        h = h + self.whole(F.dropout(features.at_1, self.config.dropout, self.training))[:, :, None, None]
        h = self.attention[0](self.blocks[0](h))
        maps = []
        for i, size in enumerate(self.config.sizes[1:]):
            h = F.interpolate(self.down[i](h), scale_factor=2, mode="bilinear", align_corners=False)
            h = h + self.edges[i](seen[i])
            if str(size) in self.skips:
                h = h + self.skips[str(size)](self._hide(getattr(features, SKIPS[size])))
            h = self.attention[i + 1](self.blocks[i + 1](h))
            maps.append(h)
        return maps

    def _stem(self, lightness: Tensor) -> Sequence[Tensor]:
        """Compute features of the lightness at 64², 32², 16²; return them coarse to fine."""
        h = lightness / 50 - 1
        maps: list[Tensor] = []
        for i, conv in enumerate(self.stem):
            h = F.relu(conv(F.pixel_unshuffle(h, 2 if i else self.patch)))
            maps.insert(0, h)
        return maps

    def _hide(self, feature: Tensor) -> Tensor:
        return F.dropout2d(feature, self.config.dropout, self.training)


def _convs(channels: Iterable[tuple[int, int, bool]]) -> Sequence[nn.Conv2d]:
    """Return 1×1 convolutions of these numbers of channels, with or without a bias."""
    return module_list(nn.Conv2d(i, o, 1, bias=bias) for i, o, bias in channels)

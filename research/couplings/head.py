"""A level's head: from features of h and the lightness itself to the level's condition."""

import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.condition import ConditionFeatures
from model.flow.constants import FEATURE_CHANNELS, SMALL_LIGHTNESS
from model.flow.residual import ResidualBlock

__all__ = ["Head"]


class Head(nn.Module):
    """Projects every feature to one width on a level's grid, adds them up and refines the sum.

    Finer features are stacked (space to depth); coarser ones are projected, then repeated. `dropout` zeroes whole
    feature channels in training, since the coarsest level overfits without it.
    A head that does not see h takes the lightness alone.
    """

    def __init__(self, grid: int, width: int, blocks: int, dropout: float, sees_h: bool = True) -> None:
        super().__init__()
        self.grid = grid
        self.dropout = dropout
        self.projections = nn.ModuleDict()
        for name, (size, channels) in FEATURE_CHANNELS.items():
            if sees_h and 2 * grid >= size >= 8 and size >= grid // 2:
                stacked = channels * max(size // grid, 1) ** 2
                self.projections[name] = nn.Conv2d(stacked, width, 1, bias=False)
        patch = SMALL_LIGHTNESS // grid if grid > 8 else 4
        self.lightness_size = grid * patch
        self.lightness = nn.Conv2d(patch**2, width, 1)
        self.whole = nn.Linear(FEATURE_CHANNELS["at_1"][1], width, bias=False) if sees_h else None
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))

    def forward(self, features: ConditionFeatures, lightness: Tensor) -> Tensor:
        """Return (B, width, grid, grid).

        features: standardized features of h. lightness: (B, 1, 128, 128), L* in [0, 100].
        """
        small = F.avg_pool2d(lightness / 50 - 1, SMALL_LIGHTNESS // self.lightness_size)
        out = self.lightness(F.pixel_unshuffle(small, self.lightness_size // self.grid))
        if self.whole is not None:
            out = out + self.whole(F.dropout(features.at_1, self.dropout, self.training))[:, :, None, None]
        for name, projection in self.projections.items():
            feature = F.dropout2d(getattr(features, name), self.dropout, self.training)
            size = feature.shape[-1]
            if size > self.grid:
                feature = F.pixel_unshuffle(feature, size // self.grid)
            projected = projection(feature)
            if size < self.grid:
                projected = F.interpolate(projected, size=(self.grid, self.grid), mode="bilinear")
            out = out + projected
        return self.blocks(out)

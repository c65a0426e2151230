"""The fully connected subnet for couplings of vectors."""

import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.composition import zeroed

__all__ = ["DenseSubnet"]


class DenseSubnet(nn.Module):
    """Three fully connected layers with ReLU; the last starts at zero. See ConvSubnet for `share`."""

    def __init__(self, in_channels: int, width: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_channels, width)
        self.middle = nn.Linear(width, width)
        self.last = zeroed(nn.Linear(width, out_channels))

    def forward(self, x: Tensor, share: Tensor) -> Tensor:
        """Map x, (B, in), to (B, out). share: (B or 1, width)."""
        h = F.relu(self.first(x) + share)
        return self.last(F.relu(self.middle(h)))

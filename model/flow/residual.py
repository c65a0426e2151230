"""The residual block of convolutions in the decoder and the finer levels."""

import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.composition import zeroed

__all__ = ["ResidualBlock"]


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))), the last convolution starting at zero."""

    def __init__(self, channels: int, hidden: int = 0) -> None:
        """hidden: channels between the two convolutions; 0: as many as in the input."""
        super().__init__()
        hidden = hidden or channels
        self.first = nn.Conv2d(channels, hidden, 3, padding=1)
        self.last = zeroed(nn.Conv2d(hidden, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W). Returns the same shape."""
        return x + self.last(F.relu(self.first(F.relu(x))))

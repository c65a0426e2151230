"""Fixed random permutation of channels between coupling blocks."""

import torch
from torch import Tensor, nn

__all__ = ["RandomPermutation"]


class RandomPermutation(nn.Module):
    """Permute the channels in a fixed random order, log-det 0.

    The order is saved with the weights. Source: Ardizzone et al. 2019 (arXiv 1907.02392), section 3.1.
    """

    order: Tensor

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(channels, generator=generator))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Permute x, (B, C, …)."""
        return x[:, self.order], x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undo the permutation of z, (B, C, …)."""
        return z[:, self.order.argsort()], z.new_zeros(z.shape[0])

"""Fixed orthogonal mixing of channels between coupling blocks."""

import torch
from torch import Tensor, nn

__all__ = ["OrthogonalMixing"]


class OrthogonalMixing(nn.Module):
    """Multiply the channels of each pixel by a fixed random orthogonal matrix, log-det 0.

    The matrix is saved with the weights. Source: Ardizzone et al. 2019 (arXiv 1907.02392), section 3.1.
    """

    matrix: Tensor

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        gaussian = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(gaussian)
        # The signs make the draw uniform over the orthogonal group (Mezzadri 2007).
        self.register_buffer("matrix", (q * r.diagonal().sign()).to(torch.get_default_dtype()))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x: (B, C) or (B, C, H, W)."""
        return self._multiply("ij,bj...->bi...", x), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z: (B, C) or (B, C, H, W)."""
        return self._multiply("ij,bi...->bj...", z), z.new_zeros(z.shape[0])

    def _multiply(self, equation: str, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # autocast would round the flow itself, not only its subnets
            return torch.einsum(equation, self.matrix, x)

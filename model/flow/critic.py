"""The critic: tells a photo's own coarse a*b* from drawn ones, so that the best of a few tries can be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from model.flow.autoregressive import CELLS, AutoregressiveConfig, ChromaEmbedding
from model.flow.transformer import TransformerBlock

__all__ = ["Critic", "CriticConfig"]


@dataclass(frozen=True)
class CriticConfig:
    """Numbers of the critic."""

    width: int = 256
    heads: int = 4
    blocks: int = 3


class Critic(nn.Module):
    """Log-odds that a*b* at 8×8 are a photo's own, given the photo: (N,).

    Trained as the discriminator of a GAN is, on photos and on draws of the coarsest level, it estimates
    log p(true)/p(drawn): what the flow's own likelihood, which favors gray, cannot see. It changes no draw, it only
    chooses. Source: Azadi et al. 2019, Discriminator Rejection Sampling (arXiv 1810.06758).
    """

    def __init__(self, config: CriticConfig, coarsest: AutoregressiveConfig, generator: torch.Generator) -> None:
        super().__init__()
        width = config.width
        self.photo = nn.Linear(coarsest.width, width)
        self.chroma = ChromaEmbedding(width)
        self.places = nn.Parameter(0.02 * torch.randn(CELLS, width, generator=generator))
        blocks = (TransformerBlock(width, config.heads) for _ in range(config.blocks))
        self.blocks = cast(Sequence[TransformerBlock], nn.ModuleList(blocks))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, 1)

    def forward(self, x: Tensor, photo: Tensor) -> Tensor:
        """x: (N, 2, 8, 8), standardized as the coarsest level sees it. photo: its condition, of N photos or of one."""
        h = self.photo(photo)
        h = h + (self.chroma(x.flatten(2).mT) + self.places).to(h.dtype)
        for block in self.blocks:
            h = block(h)
        return self.output(self.norm(h)).mean((1, 2))

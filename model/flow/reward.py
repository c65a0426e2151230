"""The reward model: predicts which of several draws of the coarsest level people find most convincing.

It is not part of the flow. A small transformer sees each cell of a draw: the photo's condition, its a*b*, and its
likelihood by the coarsest level and by the prior. It learns from people's ratings of colorings of the
same photo. Source: Stiennon et al. 2020, Learning to Summarize from Human Feedback (arXiv 2009.01325), best of n.
"""

import torch
from torch import Tensor, nn

from model.flow.cells import ChromaEmbedding
from model.flow.composition import module_list, zeroed
from model.flow.config import RewardConfig
from model.flow.constants import NORM_EPSILON, PRIOR_SHARE
from model.flow.sizes import CELLS
from model.flow.transformer import TransformerBlock

__all__ = ["RewardModel"]


class RewardModel(nn.Module):
    """Rates each draw: higher is better. Compare only draws of one photo.

    Before it is trained, the reward is log p − λ·log q, averaged over the cells, with the density q of the prior and
    λ = PRIOR_SHARE: the likelihood alone would call gray the best, which fits every photo (Li et al. 2016, A
    Diversity-Promoting Objective Function, arXiv 1510.03055, MMI-antiLM).
    """

    def __init__(self, config: RewardConfig, photo_width: int, generator: torch.Generator) -> None:
        """photo_width: width of the coarsest level's photo condition."""
        super().__init__()
        width = config.width
        self.config = config
        self.photo = nn.Linear(photo_width, width)
        self.chroma = ChromaEmbedding(width)
        self.densities = nn.Linear(2, width)
        self.places = nn.Parameter(0.02 * torch.randn(CELLS, width, generator=generator))
        self.blocks = module_list(TransformerBlock(width, config.heads) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(width, NORM_EPSILON)
        self.last = zeroed(nn.Linear(width, 1))
        self.fit = nn.Linear(2, 1, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        with torch.no_grad():
            self.fit.weight.copy_(torch.tensor([[1.0, -PRIOR_SHARE]]))

    def forward(self, photo: Tensor, cells: Tensor, densities: Tensor) -> Tensor:
        """Rate N draws: (N,).

        photo: (N, 64, photo_width), see `AutoregressiveLevel.photo_condition`. cells: (N, 64, 2) standardized a*b*.
        densities: (N, 64, 2) nats of each cell, given those that were drawn before it: log p and the prior's log q.
        All three row by row.
        """
        h = self.photo(self.dropout(photo)) + self.chroma(cells) + self.densities(densities / 4) + self.places
        for block in self.blocks:
            h = block(h)
        seen = self.last(self.dropout(self.norm(h).mean(1)))
        return (seen + self.fit(densities.mean(1)))[:, 0]

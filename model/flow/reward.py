"""Which of several draws of the coarsest level people would find most convincing: the reward model and the judge.

Neither has a part in the flow. Small transformers see a draw's cells: what the photo says of each, and its a*b*. The
reward model also sees how likely the coarsest level and the prior find these, and learns from people's ratings of
colorings of the same photo. The judge, which chooses while colorings are drawn, does without: densities cost more than
the draws. It learns from what the reward model says of many.
Sources: Stiennon et al. 2020, Learning to Summarize from Human Feedback (arXiv 2009.01325), best of n; Hinton et al.
2015, Distilling the Knowledge in a Neural Network (arXiv 1503.02531).
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from model.flow.cells import ChromaEmbedding
from model.flow.config import RewardConfig
from model.flow.constants import NORM_EPSILON, PRIOR_SHARE
from model.flow.sizes import CELLS
from model.flow.transformer import TransformerBlock

__all__ = ["Judge", "RewardModel"]


class Judge(nn.Module):
    """Says how good each draw is: higher is better, to be compared among draws of one photo.

    Before it is trained, it calls all draws equal.
    """

    def __init__(self, config: RewardConfig, photo_width: int, generator: torch.Generator) -> None:
        """photo_width: of the coarsest level's photo condition."""
        super().__init__()
        width = config.width
        self.config = config
        self.photo = nn.Linear(photo_width, width)
        self.chroma = ChromaEmbedding(width)
        self.places = nn.Parameter(0.02 * torch.randn(CELLS, width, generator=generator))
        blocks = (TransformerBlock(width, config.heads) for _ in range(config.blocks))
        self.blocks = cast(Sequence[TransformerBlock], nn.ModuleList(blocks))
        self.norm = nn.LayerNorm(width, NORM_EPSILON)
        self.last = nn.Linear(width, 1)
        self.dropout = nn.Dropout(config.dropout)
        with torch.no_grad():
            for parameter in self.last.parameters():
                parameter.zero_()

    def forward(self, photo: Tensor, cells: Tensor) -> Tensor:
        """Rate N draws: (N,).

        photo: (N, 64, photo_width), see `AutoregressiveLevel.photo_condition`. cells: (N, 64, 2) standardized a*b*.
        Both row by row.
        """
        return self._rated(self._tokens(photo, cells))

    def _tokens(self, photo: Tensor, cells: Tensor) -> Tensor:
        return self.photo(self.dropout(photo)) + self.chroma(cells) + self.places

    def _rated(self, tokens: Tensor) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        return self.last(self.dropout(self.norm(tokens).mean(1)))[:, 0]


class RewardModel(Judge):
    """A judge that also sees how likely the cells are.

    Before it is trained, the reward is Σ log p − λ·log q of the cells, with the density q of the prior and λ =
    PRIOR_SHARE: the likelihood alone would call gray the best, which fits every photo (Li et al. 2016, A
    Diversity-Promoting Objective Function, arXiv 1510.03055, MMI-antiLM).
    """

    def __init__(self, config: RewardConfig, photo_width: int, generator: torch.Generator) -> None:
        """photo_width: of the coarsest level's photo condition."""
        super().__init__(config, photo_width, generator)
        self.densities = nn.Linear(2, config.width)
        self.fit = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.fit.weight.copy_(torch.tensor([[1.0, -PRIOR_SHARE]]))

    def forward(self, photo: Tensor, cells: Tensor, densities: Tensor) -> Tensor:  # type: ignore[override] # sees more
        """Rate N draws: (N,).

        densities: (N, 64, 2) nats of each cell, given those that were drawn before it: log p and the prior's log q,
        row by row. See `Judge.forward` for the others.
        """
        seen = self._rated(self._tokens(photo, cells) + self.densities(densities / 4))
        return seen + self.fit(densities.mean(1))[:, 0]

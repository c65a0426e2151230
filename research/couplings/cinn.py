"""A cINN of couplings: a conditional wavelet flow like `model.flow.cinn`, or the authors' single chain."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.cinn import LogProb, Samples, gaussian_log_prob
from model.flow.composition import module_list
from model.flow.condition import ConditionNetwork
from model.flow.haar import pyramid
from research.couplings.chain import ChainConfig, ChainLevel
from research.couplings.level import FlowLevel, LevelConfig
from research.couplings.smooth_detail import detail, join_detail

__all__ = ["CouplingCinn", "CouplingConfig"]


@dataclass(frozen=True)
class CouplingConfig:
    """Configuration of the whole network; by default so small that it sees tens of thousands of photos in minutes."""

    levels: tuple[LevelConfig | ChainConfig, ...] = (
        LevelConfig(
            size=8, blocks=6, width=128, head_width=96, head_blocks=1, joint_blocks=0,
            dense_blocks=4, dense_width=256, dropout=0.2,
        ),
        LevelConfig(size=16, blocks=6, width=96, head_width=80, head_blocks=1, joint_blocks=1, dropout=0.05),
        LevelConfig(size=32, blocks=4, width=64, head_width=48, head_blocks=1, joint_blocks=1),
        LevelConfig(size=64, blocks=4, width=32, head_width=32, head_blocks=1, joint_blocks=1),
    )  # fmt: skip
    """levels of the wavelet flow, coarse to fine; or, for comparison, the authors' chain alone"""
    seed: int = 0
    """seed of the fixed orthogonal mixing"""


class CouplingCinn(nn.Module):
    """Exactly invertible map between a*b* at 64×64 and 8192 latents, given the lightness."""

    chroma_mean: Tensor
    chroma_std: Tensor

    def __init__(self, config: CouplingConfig) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(self.config.seed)
        self.network = ConditionNetwork()
        self.levels = module_list(
            FlowLevel(level, generator) if isinstance(level, LevelConfig) else ChainLevel(level, generator)
            for level in self.config.levels
        )
        self.register_buffer("chroma_mean", torch.zeros(2, 1, 1))
        self.register_buffer("chroma_std", torch.ones(2, 1, 1))

    @property
    def chroma_size(self) -> int:
        """Return the side of the finest a*b*."""
        return self.config.levels[-1].size

    @property
    def dims(self) -> list[int]:
        """Return the number of latents of each level, coarse to fine."""
        return [level.dims for level in self.levels]

    def condition(self, lightness: Tensor) -> list[Tensor]:
        """Compute the photo condition of each level, which depends on the photo alone; see `Cinn.condition`."""
        features = self.network(lightness)
        small = F.avg_pool2d(lightness, 2)
        return [level.photo_condition(features, small) for level in self.levels]

    def log_prob(self, chroma: Tensor, condition: Sequence[Tensor]) -> LogProb:
        """Encode chroma; see `Cinn.log_prob`."""
        parts, latents = [], []
        for i, (level, (data, coarser)) in enumerate(zip(self.levels, self.level_data(chroma), strict=True)):
            z, log_det = level(data, level.sample_condition(condition[i], coarser))
            latents.append(z)
            parts.append(gaussian_log_prob(z) + log_det + self.constant(i))
        return LogProb(torch.stack(parts, 1), latents)

    def sample(self, condition: Sequence[Tensor], latents: Sequence[Tensor]) -> Samples:
        """Decode latents; see `Cinn.sample`."""
        parts = []
        chroma: Tensor | None = None
        for i, (level, z) in enumerate(zip(self.levels, latents, strict=True)):
            data, log_det = level.inverse(z, level.sample_condition(condition[i], chroma))
            chroma = data if chroma is None else join_detail(chroma, data)
            parts.append(gaussian_log_prob(z) - log_det + self.constant(i))
        assert chroma is not None  # noqa: S101 - there is always a level
        return Samples(chroma * self.chroma_std + self.chroma_mean, torch.stack(parts, 1), latents[0])

    def level_data(self, chroma: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """Return each level's data, and the coarser a*b* that it is conditioned on, coarse to fine.

        chroma: (B, 2, 64, 64) a*b*. All results are in standardized a*b*.
        """
        sizes = pyramid((chroma - self.chroma_mean) / self.chroma_std, len(self.levels) - 1)
        return [(sizes[0], None), *((detail(finer), coarser) for coarser, finer in itertools.pairwise(sizes))]

    @torch.no_grad()
    def standardize(self, chroma: Tensor) -> None:
        """Set the mean and standard deviation of a* and b*, then each level's mean and scale, from photos' a*b*.

        Details keep a mean of 0, so that a latent of 0 adds none.
        """
        self.chroma_mean.copy_(chroma.mean((0, 2, 3))[:, None, None])
        self.chroma_std.copy_(chroma.std((0, 2, 3))[:, None, None])
        for level, (data, coarser) in zip(self.levels, self.level_data(chroma), strict=True):
            if coarser is None:
                level.mean.copy_(data.mean((0, 2, 3))[:, None, None])
            level.std.copy_(data.std((0, 2, 3))[:, None, None])

    def constant(self, level: int) -> Tensor:
        """Return a level's share of the log-det of standardizing and of the wavelet transform; see `Cinn.constant`."""
        halvings = len(self.levels) - 1 - level
        return -self.dims[level] * (self.chroma_std.log().mean() + halvings * math.log(2))

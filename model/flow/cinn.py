"""The conditional invertible neural network: a conditional wavelet flow over a*b* at 64×64.

p(ab₆₄|L) = p(ab₈|L)·p(d₁₆|ab₈, L)·p(d₃₂|ab₁₆, L)·p(d₆₄|ab₃₂, L): the Haar transform splits each size into the half-size
mean and the details d, and each level is a conditional flow of its own (Yu et al. 2020, arXiv 2010.13821). The coarsest
is autoregressive over its cells; the finer ones propagate colors along the photo and add details by affine couplings.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.autoregressive import AutoregressiveLevel
from model.flow.cells import CellDecoder, Prior
from model.flow.composition import module_list
from model.flow.condition import ConditionNetwork
from model.flow.config import CinnConfig
from model.flow.decoder import Decoder
from model.flow.detail_level import DetailLevel
from model.flow.haar import join, pyramid, split
from model.flow.reward import RewardModel

__all__ = ["Cinn", "LogProb", "Samples", "gaussian_log_prob"]


class LogProb(NamedTuple):
    """Exact log-density of chroma, with its latents."""

    log_prob: Tensor
    """(B, 4): nats of each level, in CIELAB units; their sum is log p(ab|L)"""
    latents: list[Tensor]
    """(B, dims) of each level, coarse to fine"""


class Samples(NamedTuple):
    """Chroma drawn by the inverse pass."""

    chroma: Tensor
    """(N, 2, 64, 64) a*b*"""
    log_prob: Tensor
    """(N, 4): nats of each level, in CIELAB units"""
    coarsest_latents: Tensor
    """(N, 128): latents that give the coarsest a*b* at temperature 1"""


class Cinn(nn.Module):
    """Exactly invertible map between a*b* at 64×64 and 8192 latents, given the lightness."""

    chroma_mean: Tensor
    chroma_std: Tensor

    def __init__(self, config: CinnConfig | None = None) -> None:
        super().__init__()
        self.config = config or CinnConfig()
        generator = torch.Generator().manual_seed(self.config.seed)
        self.network = ConditionNetwork()
        self.coarsest = AutoregressiveLevel(self.config.coarsest, generator)
        self.decoder = Decoder(self.config.decoder)
        self.details = module_list(DetailLevel(level, generator) for level in self.config.details)
        self.distilled = CellDecoder(self.config.coarsest, generator)
        # Only for training: these guide and choose the draws from which the distilled decoder learns.
        self.prior = Prior(self.config.prior, generator)
        self.reward = RewardModel(self.config.reward, self.config.coarsest.width, generator)
        self.register_buffer("chroma_mean", torch.zeros(2, 1, 1))
        self.register_buffer("chroma_std", torch.ones(2, 1, 1))

    @property
    def chroma_size(self) -> int:
        """Side of the finest a*b*."""
        return self.config.sizes[-1]

    @property
    def dims(self) -> list[int]:
        """Latents of each level, coarse to fine."""
        return self.config.dims

    def condition(self, lightness: Tensor) -> list[Tensor]:
        """Compute all that depends only on the photo.

        lightness: (B, 1, 256, 256), L* in [0, 100]. Returns the photo condition of each level: the cells', then the
        decoder's maps.
        """
        features = self.network(lightness)
        small = F.avg_pool2d(lightness, 2)
        return [self.coarsest.photo_condition(features, small), *self.decoder(features, small)]

    def pyramid(self, chroma: Tensor) -> list[Tensor]:
        """Standardize (B, 2, 64, 64) a*b* and average it to every size, coarse to fine, for the levels."""
        return pyramid((chroma - self.chroma_mean) / self.chroma_std, len(self.details))

    def log_prob(self, chroma: Tensor, condition: Sequence[Tensor]) -> LogProb:
        """Encode chroma.

        chroma: (B, 2, 64, 64) a*b*. condition: from `condition`, for B photos or for one.
        """
        sizes = self.pyramid(chroma)
        z, log_det = self.coarsest(sizes[0], condition[0])
        latents, parts = [z], [gaussian_log_prob(z) + log_det + self.constant(0)]
        for i, level in enumerate(self.details, 1):
            z, log_det = level(split(sizes[i])[1], level.sample_condition(condition[i], sizes[i - 1]))
            latents.append(z)
            parts.append(gaussian_log_prob(z) + log_det + self.constant(i))
        return LogProb(torch.stack(parts, 1), latents)

    def draw_coarsest(
        self,
        condition: Tensor,
        z: Tensor,
        temperature: Tensor,
        given: Tensor | None = None,
        tolerance: Tensor | None = None,
    ) -> Tensor:
        """Decode the coarsest level at a temperature: (N, 2, 8, 8) a*b*.

        condition: the first of `condition`, for N photos or for one. z: (N, 128). temperature: (N,). given:
        (N, 2, 8, 8) a*b* of given cells, NaN elsewhere. tolerance: (N,) nats; see `AutoregressiveLevel.draw`.
        """
        known = None if given is None else (given - self.chroma_mean) / self.chroma_std
        drawn = self.coarsest.draw(z, condition, temperature, self.distilled, known, tolerance)
        return drawn * self.chroma_std + self.chroma_mean

    def add_details(self, condition: Sequence[Tensor], coarsest: Tensor, latents: Sequence[Tensor]) -> Samples:
        """Complete a*b* of the coarsest size with the finer levels.

        condition: from `condition`, for N photos or for one. coarsest: (N, 2, 8, 8) a*b*. latents: (N, dims) of each
        finer level, coarse to fine.
        """
        chroma = (coarsest - self.chroma_mean) / self.chroma_std
        coarsest_latents, log_det = self.coarsest(chroma, condition[0])
        parts = [gaussian_log_prob(coarsest_latents) + log_det + self.constant(0)]
        for i, (level, z) in enumerate(zip(self.details, latents, strict=True), 1):
            data, log_det = level.inverse(z, level.sample_condition(condition[i], chroma))
            chroma = join(chroma, data)
            parts.append(gaussian_log_prob(z) - log_det + self.constant(i))
        return Samples(chroma * self.chroma_std + self.chroma_mean, torch.stack(parts, 1), coarsest_latents)

    def sample(self, condition: Sequence[Tensor], latents: Sequence[Tensor]) -> Samples:
        """Decode latents at temperature 1: the inverse of `log_prob`.

        condition: of `condition`, for N photos or for one. latents: (N, dims) of each level, coarse to fine.
        """
        ones = torch.ones(len(latents[0]), device=latents[0].device)
        coarsest = self.draw_coarsest(condition[0], latents[0], ones)
        return self.add_details(condition, coarsest, latents[1:])

    def constant(self, level: int) -> Tensor:
        """Return the log-det of the fixed steps around a level: standardization, and bands of twice the mean."""
        # On the way down to a level, each halving takes the mean, which is half of the orthonormal Haar's first band.
        halvings = len(self.details) - level
        return -self.dims[level] * (self.chroma_std.log().mean() + halvings * math.log(2))


def gaussian_log_prob(z: Tensor) -> Tensor:
    """Log-density of (B, D) under the standard normal distribution, (B,) in nats."""
    return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))

"""The authors' architecture, for comparison: one chain of couplings from 64×64 down to a vector."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.affine import ConditionalAffine
from model.flow.composition import Step, alternate, module_list, run, run_inverse, zeroed
from model.flow.condition import ConditionFeatures
from model.flow.coupling import AffineCoupling, ConvSubnet
from model.flow.haar import HaarDownsampling
from model.flow.mixing import OrthogonalMixing
from research.couplings.dense import DenseSubnet
from research.couplings.head import Head
from research.couplings.level import LevelCondition
from research.couplings.reshaping import ReshapeDownsampling

__all__ = ["ChainConfig", "ChainLevel"]

GRIDS = (64, 32, 16, 8)
CHANNELS = (2, 8, 16, 32)
"""Channels on each grid. Of the downsampled channels of the grid before, so many stay; the others become latents."""
LAST_GRID = 4
LAST_CHANNELS = 32
"""Channels that stay on the last grid; flattened, they are the vector of the fully connected blocks."""
SQUEEZED = 32
"""Channels of the condition on the last grid, for the fully connected blocks."""


@dataclass(frozen=True)
class ChainConfig:
    """Configuration of the chain."""

    blocks: tuple[int, ...] = (4, 6, 6, 6)
    """coupling blocks on each of GRIDS"""
    widths: tuple[int, ...] = (32, 64, 128, 256)
    """widths of the blocks' subnets"""
    head_widths: tuple[int, ...] = (32, 64, 128, 192)
    head_blocks: int = 1
    dense_blocks: int = 8
    dense_width: int = 512
    dropout: float = 0.05
    downsampling: Literal["haar", "reshape"] = "haar"
    size: int = 64
    """side of the a*b*"""


class ChainLevel(nn.Module):
    """Conditional flow of the whole a*b* at 64×64, (B, 2, 64, 64): the only level of its cINN.

    Has the interface of a FlowLevel, with the same one-sided couplings and conditional affine layers. The architecture
    is otherwise that of Ardizzone et al. 2019 (arXiv 1907.02392), appendix.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ChainConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.data_shape = (2, config.size, config.size)
        self.dims = 2 * config.size**2
        self.register_buffer("mean", torch.zeros(2, 1, 1))
        self.register_buffer("std", torch.ones(2, 1, 1))
        self.downsampling = HaarDownsampling() if config.downsampling == "haar" else ReshapeDownsampling()
        self.affine = ConditionalAffine()

        widths = config.head_widths
        self.heads = module_list(
            Head(g, w, config.head_blocks, config.dropout) for g, w in zip(GRIDS, widths, strict=True)
        )
        stages = list(zip(CHANNELS, config.widths, config.blocks, widths, strict=True))
        self.shares = nn.ModuleList(nn.Conv2d(head, blocks * width, 1) for _, width, blocks, head in stages)
        each = [(channels, width) for channels, width, blocks, _ in stages for _ in range(blocks)]
        self.couplings = module_list(AffineCoupling(channels, ConvSubnet, width) for channels, width in each)
        self.mixings = module_list(OrthogonalMixing(channels, generator) for channels, _ in each)

        kept, dense = LAST_CHANNELS * LAST_GRID**2, range(config.dense_blocks)
        self.dense_couplings = module_list(AffineCoupling(kept, DenseSubnet, config.dense_width) for _ in dense)
        self.dense_mixings = module_list(OrthogonalMixing(kept, generator) for _ in dense)
        self.dense_squeeze = nn.Conv2d(4 * widths[-1], SQUEEZED, 1)
        self.dense_shares = nn.Linear(SQUEEZED * LAST_GRID**2, config.dense_blocks * config.dense_width)

        self.first = zeroed(nn.Conv2d(widths[0], 2 * CHANNELS[0], 1))
        staying = (*CHANNELS[1:], LAST_CHANNELS)
        self.leaving = [4 * above - stays for above, stays in zip(CHANNELS, staying, strict=True)]
        seen = (*widths[1:], 4 * widths[-1])
        self.last = nn.ModuleList(
            zeroed(nn.Conv2d(width, 2 * left, 1)) if left else nn.Identity()
            for width, left in zip(seen, self.leaving, strict=True)
        )
        self.last_dense = zeroed(nn.Conv2d(4 * widths[-1], 2 * LAST_CHANNELS, 1))

    def photo_condition(self, features: ConditionFeatures, lightness: Tensor) -> Tensor:
        """Compute the outputs of all heads, which depend on the lightness alone, flattened into (B, …)."""
        return torch.cat([head(features, lightness).flatten(1) for head in self.heads], 1)

    def sample_condition(self, photo: Tensor, coarser: Tensor | None = None) -> LevelCondition:
        """Compute each layer's part of the condition. photo: result of `photo_condition`."""
        shapes = [(width, grid, grid) for width, grid in zip(self.config.head_widths, GRIDS, strict=True)]
        flat = torch.split(photo, [w * g * g for w, g, _ in shapes], 1)
        h = [F.relu(part.view(-1, *shape)) for part, shape in zip(flat, shapes, strict=True)]
        h.append(F.pixel_unshuffle(h[-1], 2))
        shares = [
            share
            for conv, seen, blocks in zip(self.shares, h[:-1], self.config.blocks, strict=True)
            for share in conv(seen).chunk(blocks, 1)
        ]
        squeezed = F.relu(self.dense_squeeze(h[-1])).flatten(1)
        dense_shares = self.dense_shares(squeezed).chunk(self.config.dense_blocks, 1)
        leaving = zip(self.last, h[1:], self.leaving, strict=True)
        ends = [conv(seen) for conv, seen, left in leaving if left] + [self.last_dense(h[-1])]
        means, log_scales = zip(*(end.chunk(2, 1) for end in ends), strict=True)
        last = torch.cat([part.flatten(1) for part in (*means, *log_scales)], 1)
        return LevelCondition(self.first(h[0]), tuple(shares), tuple(dense_shares), last)

    def standardize(self, x: Tensor) -> Tensor:
        """Standardize a*b* for the first layer."""
        return (x - self.mean) / self.std

    def forward(self, x: Tensor, condition: LevelCondition) -> tuple[Tensor, Tensor]:
        """Map x, (B, 2, 64, 64), to the latent, (B, 8192), and the log-det."""
        x, log_det = self.affine(self.standardize(x), condition.first)
        latents = []
        for steps, left in zip(self._stages(condition), self.leaving, strict=True):
            x, part = run(steps, x)
            log_det = log_det + part
            x, out = torch.split(x, [x.shape[1] - left, left], 1)
            latents.append(out.flatten(1))
        x, part = run(self._dense(condition), x.flatten(1))
        z, last = self.affine(torch.cat((*latents, x), 1), condition.last)
        return z, log_det + part + last - self._log_scale()

    def inverse(self, z: Tensor, condition: LevelCondition) -> tuple[Tensor, Tensor]:
        """Map z, (B, 8192), to (B, 2, 64, 64) and the log-det of the inverse."""
        z, log_det = self.affine.inverse(z, condition.last)
        grids = [grid // 2 for grid in GRIDS]
        sizes = [left * grid**2 for left, grid in zip(self.leaving, grids, strict=True)]
        *latents, x = torch.split(z, [*sizes, self.dims - sum(sizes)], 1)
        x, part = run_inverse(self._dense(condition), x)
        log_det = log_det + part
        for steps, out, grid in reversed(list(zip(self._stages(condition), latents, grids, strict=True))):
            x = torch.cat((x.reshape(len(x), -1, grid, grid), out.reshape(len(x), -1, grid, grid)), 1)
            x, part = run_inverse(steps, x)
            log_det = log_det + part
        x, part = self.affine.inverse(x, condition.first)
        return x * self.std + self.mean, log_det + part + self._log_scale()

    def _stages(self, condition: LevelCondition) -> Iterator[list[Step]]:
        """Yield the couplings, mixings and the downsampling of each grid."""
        steps = alternate(self.couplings, self.mixings, condition.shares)
        for count in self.config.blocks:
            yield [*steps[: 2 * count], (self.downsampling, condition.first)]
            steps = steps[2 * count :]

    def _dense(self, condition: LevelCondition) -> list[Step]:
        return alternate(self.dense_couplings, self.dense_mixings, condition.dense_shares)

    def _log_scale(self) -> Tensor:
        return self.std.log().sum() * self.config.size**2

"""One level of the conditional wavelet flow: a conditional flow with its own head."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.errors import InputError
from model.flow.affine import ConditionalAffine
from model.flow.composition import Step, alternate, module_list, run, run_inverse, zeroed
from model.flow.condition import ConditionFeatures
from model.flow.coupling import AffineCoupling, ConvSubnet
from model.flow.haar import HaarDownsampling
from model.flow.mixing import OrthogonalMixing
from model.flow.residual import ResidualBlock
from research.couplings.dense import DenseSubnet
from research.couplings.head import Head
from research.couplings.permutation import RandomPermutation
from research.couplings.unclamped import UnclampedAffine, UnclampedCoupling

__all__ = ["FlowLevel", "LevelCondition", "LevelConfig"]


Mixing = OrthogonalMixing | RandomPermutation
MIXINGS: dict[str, type[Mixing]] = {"orthogonal": OrthogonalMixing, "permutation": RandomPermutation}
COARSER_LIMIT = 10.0
"""Limit for coarser a*b* in a level's condition, in standard deviations. No photo reaches it, but a sample may."""


@dataclass(frozen=True)
class LevelConfig:
    """Configuration of one level."""

    size: int
    """side of the a*b* that the level completes: 8, 16, 32 or 64"""
    blocks: int
    """convolutional coupling blocks"""
    width: int
    """width of the blocks' subnets"""
    head_width: int
    head_blocks: int
    """residual blocks that see the lightness alone: once per photo"""
    joint_blocks: int
    """residual blocks that also see the coarser a*b*: once per sample"""
    dense_blocks: int = 0
    """fully connected coupling blocks, at the coarsest level"""
    dense_width: int = 0
    dropout: float = 0.0
    sees_h: bool = True
    """whether the head sees h, or the lightness alone; this and the following options are for ablations"""
    soft_clamp: bool = True
    conditional_affine: bool = True
    mixing: Literal["orthogonal", "permutation"] = "orthogonal"
    zero_start: bool = True
    """whether last layers start at zero, or with torch's default initialization"""


class LevelCondition(NamedTuple):
    """Each layer's part of a level's condition."""

    first: Tensor
    """(B, 2C, grid, grid), for the first conditional affine layer (data side)"""
    shares: tuple[Tensor, ...]
    """(B, width, grid, grid) for each convolutional block"""
    dense_shares: tuple[Tensor, ...]
    """(B, dense_width) for each fully connected block"""
    last: Tensor
    """(B, 2·dims), for the last conditional affine layer (latent side)"""

    def of_first(self, count: int) -> "LevelCondition":
        """Return the condition of the first photos of the batch."""
        shares = tuple(share[:count] for share in self.shares)
        dense_shares = tuple(share[:count] for share in self.dense_shares)
        return LevelCondition(self.first[:count], shares, dense_shares, self.last[:count])


class FlowLevel(nn.Module):
    """Conditional flow of the a*b* at 8×8, or of the Haar details from one size to the next.

    The coarsest level maps (B, 2, 8, 8), all others (B, 6, size/2, size/2), to a latent (B, dims).
    Layers: conditional affine, then coupling blocks with orthogonal mixing after each, then conditional affine.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: LevelConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.coarsest = config.size == 8
        self.data_shape = (2, 8, 8) if self.coarsest else (6, config.size // 2, config.size // 2)
        self.grid = 4 if self.coarsest else config.size // 2
        self.channels = channels = 8 if self.coarsest else 6
        self.dims = channels * self.grid**2
        self.register_buffer("mean", torch.zeros(self.data_shape[0], 1, 1))
        self.register_buffer("std", torch.ones(self.data_shape[0], 1, 1))
        self.haar = HaarDownsampling()
        self.affine = ConditionalAffine() if config.soft_clamp else UnclampedAffine()

        self.head = Head(
            8 if self.coarsest else self.grid, config.head_width, config.head_blocks, config.dropout, config.sees_h
        )
        self.coarser = None if self.coarsest else nn.Conv2d(2, config.head_width, 3, padding=1)
        self.joint = nn.Sequential(*(ResidualBlock(config.head_width) for _ in range(config.joint_blocks)))
        condition = config.head_width * (4 if self.coarsest else 1)
        self.shares = nn.Conv2d(condition, config.blocks * config.width, 1)
        self.ends = zeroed(nn.Conv2d(condition, 2 * 2 * channels, 1)) if config.conditional_affine else None

        mixing, coupling = MIXINGS[config.mixing], AffineCoupling if config.soft_clamp else UnclampedCoupling
        blocks, dense = range(config.blocks), range(config.dense_blocks)
        self.couplings = module_list(coupling(channels, ConvSubnet, config.width) for _ in blocks)
        self.mixings = module_list(mixing(channels, generator) for _ in blocks)
        self.dense_couplings = module_list(coupling(self.dims, DenseSubnet, config.dense_width) for _ in dense)
        self.dense_mixings = module_list(mixing(self.dims, generator) for _ in dense)
        if config.dense_blocks:
            self.dense_squeeze = nn.Conv2d(condition, 32, 1)
            self.dense_shares = nn.Linear(32 * self.grid**2, config.dense_blocks * config.dense_width)
        if not config.zero_start:
            self.apply(_start_as_torch_does)

    def photo_condition(self, features: ConditionFeatures, lightness: Tensor) -> Tensor:
        """Compute the head's output, (B, head_width, …), from the lightness alone: once per photo; see `Head`."""
        return self.head(features, lightness)

    def sample_condition(self, photo: Tensor, coarser: Tensor | None) -> LevelCondition:
        """Compute each layer's part of the condition, for all blocks in one convolution.

        photo: of `photo_condition`. coarser: (B, 2, size/2, size/2) standardized a*b*, None at the coarsest level.
        """
        h = photo
        if self.coarser is not None:
            if coarser is None:
                raise InputError("coarser", f"a*b* of size {self.config.size // 2}", None)
            h = h + self.coarser(coarser.clamp(-COARSER_LIMIT, COARSER_LIMIT))
        h = F.relu(self.joint(h))
        if self.coarsest:
            h = F.pixel_unshuffle(h, 2)
        ends = h.new_zeros(len(h), 4 * self.channels, *h.shape[2:]) if self.ends is None else self.ends(h)
        first, last = ends.chunk(2, 1)
        shares = self.shares(h).chunk(self.config.blocks, 1)
        dense_shares: tuple[Tensor, ...] = ()
        if self.config.dense_blocks:
            squeezed = F.relu(self.dense_squeeze(h)).flatten(1)
            dense_shares = self.dense_shares(squeezed).chunk(self.config.dense_blocks, 1)
        return LevelCondition(first, shares, dense_shares, last.flatten(1))

    def forward(self, x: Tensor, condition: LevelCondition) -> tuple[Tensor, Tensor]:
        """Map x, (B, *data_shape), to the latent, (B, dims), and the log-det."""
        x, log_det = run(self._steps(condition), self.standardize(x))
        x, part = run(self._dense_steps(condition), x.flatten(1))
        return x, log_det + part - self._log_scale()

    def standardize(self, x: Tensor) -> Tensor:
        """Standardize level data for the first layer: (B, *data_shape) to (B, C, grid, grid)."""
        x = (x - self.mean) / self.std
        return self.haar(x)[0] if self.coarsest else x

    def inverse(self, z: Tensor, condition: LevelCondition) -> tuple[Tensor, Tensor]:
        """Map z, (B, dims), to (B, *data_shape) and the log-det of the inverse."""
        x, log_det = run_inverse(self._dense_steps(condition), z)
        x, part = run_inverse(self._steps(condition), x.view(x.shape[0], -1, self.grid, self.grid))
        if self.coarsest:
            x, _ = self.haar.inverse(x)
        return x * self.std + self.mean, log_det + part + self._log_scale()

    def _steps(self, condition: LevelCondition) -> list[Step]:
        return [(self.affine, condition.first), *alternate(self.couplings, self.mixings, condition.shares)]

    def _dense_steps(self, condition: LevelCondition) -> list[Step]:
        blocks = alternate(self.dense_couplings, self.dense_mixings, condition.dense_shares)
        return [*blocks, (self.affine, condition.last)]

    def _log_scale(self) -> Tensor:
        return self.std.log().sum() * (self.dims // self.data_shape[0])


def _start_as_torch_does(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        module.reset_parameters()

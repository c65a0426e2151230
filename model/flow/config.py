"""Configuration of the cINN: widths and depths of its parts, and the resulting sizes. Stored with the weights."""

from dataclasses import dataclass, field

from model.flow.constants import DETAIL_CHANNELS
from model.flow.sizes import CELLS, SIDE

__all__ = [
    "LITE0_STAGES",
    "AutoregressiveConfig",
    "CinnConfig",
    "DecoderConfig",
    "DetailConfig",
    "PriorConfig",
    "RewardConfig",
    "Stage",
]

LEAST_HEAD = 64
"""Minimum channels of an attention head of the decoder."""


@dataclass(frozen=True)
class Stage:
    """A run of the condition network's inverted residual blocks that share kernel and width."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each block; the first one shrinks the map."""
        return (self.stride, *(1 for _ in range(self.blocks - 1)))


LITE0_STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1, kernel=3),
    Stage(expansion=6, channels=24, blocks=2, stride=2, kernel=3),
    Stage(expansion=6, channels=40, blocks=2, stride=2, kernel=5),
    Stage(expansion=6, channels=80, blocks=3, stride=2, kernel=3),
    Stage(expansion=6, channels=112, blocks=3, stride=1, kernel=5),
    Stage(expansion=6, channels=192, blocks=4, stride=2, kernel=5),
    Stage(expansion=6, channels=320, blocks=1, stride=1, kernel=3),
)


@dataclass(frozen=True)
class AutoregressiveConfig:
    """Sizes of the coarsest level."""

    width: int = 256
    heads: int = 4
    encoder_blocks: int = 3
    decoder_blocks: int = 5
    components: int = 8
    dropout: float = 0.2
    """dropout of h's feature channels in training"""


@dataclass(frozen=True)
class PriorConfig:
    """Sizes of the prior."""

    width: int = 128
    heads: int = 2
    decoder_blocks: int = 3
    components: int = 8


@dataclass(frozen=True)
class RewardConfig:
    """Sizes of the reward model."""

    width: int = 64
    heads: int = 4
    blocks: int = 2
    dropout: float = 0.2
    """dropout of the photo condition, and of the last layer's input, in training"""


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder."""

    widths: tuple[int, ...] = (192, 160, 96, 48)
    """channels at 8², 16², 32², 64²"""
    stem_widths: tuple[int, ...] = (64, 48, 24)
    """channels of the lightness features at 16², 32², 64²"""
    blocks: tuple[int, ...] = (1, 2, 1, 1)
    """residual blocks at each size"""
    attention: tuple[int, ...] = (0, 0, 0, 0)
    """transformer blocks at each size, which see the whole photo: the body helps to recognize an arm"""
    dropout: float = 0.1
    """dropout of h's feature channels in training"""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the output maps."""
        return tuple(8 << i for i in range(len(self.widths)))

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads at each size."""
        return tuple(max(1, width // LEAST_HEAD) for width in self.widths)


@dataclass(frozen=True)
class DetailConfig:
    """Sizes of one finer level."""

    size: int
    """side of the a*b* that the level completes: 16, 32 or 64"""
    condition_width: int
    """channels of the decoder's map of that size"""
    blocks: int
    """coupling blocks"""
    width: int
    """channels of their subnets"""
    joint_blocks: int = 1
    """residual blocks over the decoder's map and the coarser a*b*, run once per sample"""
    joint_width: int = 0
    """channels within these; 0: as many as in the decoder's map"""
    recalled: int = 0
    """colors that each pixel recalls from any cells of the coarsest a*b*; 0: none"""

    @property
    def dims(self) -> int:
        """Latents of the level."""
        return DETAIL_CHANNELS * (self.size // 2) ** 2


@dataclass(frozen=True)
class CinnConfig:
    """Sizes of the whole network; defaults are those of the released weights."""

    coarsest: AutoregressiveConfig = field(default_factory=AutoregressiveConfig)
    decoder: DecoderConfig = field(default_factory=lambda: DecoderConfig(attention=(4, 2, 0, 0)))
    details: tuple[DetailConfig, ...] = (
        DetailConfig(size=16, condition_width=160, blocks=8, width=64, joint_blocks=2, joint_width=48, recalled=4),
        DetailConfig(size=32, condition_width=96, blocks=8, width=48, joint_width=32, recalled=4),
        DetailConfig(size=64, condition_width=48, blocks=6, width=32, joint_width=16),
    )
    """coarse to fine"""
    prior: PriorConfig = field(default_factory=PriorConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    seed: int = 0
    """seed of the fixed orthogonal mixing"""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Side of the a*b* that each level completes, coarse to fine."""
        return (SIDE, *(level.size for level in self.details))

    @property
    def dims(self) -> list[int]:
        """Latents of each level, coarse to fine."""
        return [2 * CELLS, *(level.dims for level in self.details)]

    @property
    def total_dims(self) -> int:
        """Latents of all levels."""
        return sum(self.dims)

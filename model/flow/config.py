"""Configuration of the cINN: how wide and deep its parts are, and the sizes that follow. Stored with the weights."""

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
"""Fewest channels of an attention head of the decoder."""


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
        """Stride of each block: the first one shrinks the map."""
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
    """Numbers of the coarsest level."""

    width: int = 256
    heads: int = 4
    encoder_blocks: int = 3
    decoder_blocks: int = 5
    components: int = 8
    dropout: float = 0.2
    """share of h's feature channels that training hides"""


@dataclass(frozen=True)
class PriorConfig:
    """Numbers of the prior."""

    width: int = 128
    heads: int = 2
    decoder_blocks: int = 3
    components: int = 8


@dataclass(frozen=True)
class RewardConfig:
    """Numbers of the reward model."""

    width: int = 64
    heads: int = 4
    blocks: int = 2
    dropout: float = 0.2
    """share of the photo condition's numbers that training hides, and of what the last layer sees"""


@dataclass(frozen=True)
class DecoderConfig:
    """Numbers of the decoder."""

    widths: tuple[int, ...] = (192, 160, 96, 48)
    """channels at 8², 16², 32², 64²"""
    stem_widths: tuple[int, ...] = (64, 48, 24)
    """channels of what is seen of the lightness itself at 16², 32², 64²"""
    blocks: tuple[int, ...] = (1, 2, 1, 1)
    """residual blocks at each size"""
    attention: tuple[int, ...] = (0, 0, 0, 0)
    """transformer blocks at each size, which see the whole photo: an arm is known by the body it belongs to"""
    dropout: float = 0.1
    """share of h's feature channels that training hides"""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the maps that come out."""
        return tuple(8 << i for i in range(len(self.widths)))

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads at each size."""
        return tuple(max(1, width // LEAST_HEAD) for width in self.widths)


@dataclass(frozen=True)
class DetailConfig:
    """Numbers of one finer level."""

    size: int
    """side of the a*b* that the level completes: 16, 32 or 64"""
    condition_width: int
    """channels of the decoder's map of that size"""
    blocks: int
    """coupling blocks"""
    width: int
    """channels of their subnets"""
    joint_blocks: int = 1
    """residual blocks that see the decoder's map and the coarser a*b*: once per sample"""
    joint_width: int = 0
    """channels within these; 0: as many as of the decoder's map"""
    recalled: int = 0
    """colors that each pixel recalls from the cells of the coarsest a*b*, wherever they are; 0: none"""

    @property
    def dims(self) -> int:
        """Latents of the level."""
        return DETAIL_CHANNELS * (self.size // 2) ** 2


@dataclass(frozen=True)
class CinnConfig:
    """Numbers of the whole network; defaults are those of the released weights."""

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

"""Laws of invertible blocks, for the blocks of research."""

from collections.abc import Callable
from typing import Any

import torch

from model.flow.coupling import AffineCoupling, ConvSubnet
from research.couplings.dense import DenseSubnet
from research.couplings.level import FlowLevel, LevelCondition, LevelConfig
from research.couplings.permutation import RandomPermutation
from research.couplings.reshaping import ReshapeDownsampling
from research.couplings.unclamped import UnclampedAffine, UnclampedCoupling
from research.digits.digits import PIXELS
from research.digits.flow import DigitFlow, DigitFlowConfig
from tests.model.flow.laws import Case, laws_of
from tests.networks import draw, generator


def level(size: int, dense_blocks: int = 0, **ablation: Any) -> FlowLevel:
    config = LevelConfig(
        size=size, blocks=2, width=8, head_width=6, head_blocks=1, joint_blocks=1,
        dense_blocks=dense_blocks, dense_width=10, **ablation,
    )  # fmt: skip
    return FlowLevel(config, generator())


def level_condition(channels: int, grid: int, dense: int = 0) -> Callable[[], LevelCondition]:
    def build() -> LevelCondition:
        return LevelCondition(
            draw(3, 2 * channels, grid, grid),
            tuple(draw(3, 8, grid, grid) for _ in range(2)),
            tuple(draw(3, 10) for _ in range(dense)),
            draw(3, 2 * channels * grid**2),
        )

    return build


BLOCKS = {
    "permutation": Case(lambda: RandomPermutation(7, generator()), (3, 7), lambda: None),
    "reshape": Case(ReshapeDownsampling, (3, 2, 4, 6), lambda: None),
    "dense coupling": Case(lambda: AffineCoupling(9, DenseSubnet, 8), (3, 9), lambda: draw(3, 8)),
    "unclamped coupling": Case(lambda: UnclampedCoupling(6, ConvSubnet, 8), (3, 6, 4, 4), lambda: draw(3, 8, 4, 4)),
    "unclamped conditional affine": Case(UnclampedAffine, (3, 4, 2, 3), lambda: draw(3, 8, 2, 3)),
    "couplings of digits": Case(
        lambda: DigitFlow(DigitFlowConfig(blocks=3, width=8)), (3, PIXELS), lambda: torch.tensor((0, 4, 9))
    ),
    "level 8": Case(lambda: level(8, dense_blocks=2), (3, 2, 8, 8), level_condition(8, 4, dense=2)),
    "level 16": Case(lambda: level(16), (3, 6, 8, 8), level_condition(6, 8)),
    "level with permutations": Case(
        lambda: level(8, dense_blocks=1, mixing="permutation"), (3, 2, 8, 8), level_condition(8, 4, dense=1)
    ),
}

test_the_law_holds = laws_of(BLOCKS)

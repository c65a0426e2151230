"""What an ablation changes: one thing each, of the wavelet flow or of the authors' chain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from model.chain import ChainConfig
from model.cinn import CinnConfig
from model.level import LevelConfig

__all__ = ["CHAIN", "VARIANTS", "WHOLE", "Variant"]

NETWORK_LEARNING_RATE = 2e-4
WHOLE = "whole"
CHAIN = "one chain"


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    against: str = WHOLE
    """the variant from which it differs in one thing"""
    model: Callable[[CinnConfig, ChainConfig], CinnConfig] = lambda flow, _: flow
    """of the network, from the configurations of the wavelet flow and of the chain"""
    loop: Mapping[str, float] = field(default_factory=dict)
    """of the training loop"""


def _levels(**options: Any) -> Callable[[CinnConfig, ChainConfig], CinnConfig]:
    """Change an option of every level."""

    def change(flow: CinnConfig, _: ChainConfig) -> CinnConfig:
        levels = tuple(replace(level, **options) for level in flow.levels if isinstance(level, LevelConfig))
        return replace(flow, levels=levels)

    return change


VARIANTS: Mapping[str, Variant] = {
    WHOLE: Variant(),
    "no noise": Variant(loop={"noise": 0.0, "coarser_noise": 0.0}),
    "no condition network": Variant(model=_levels(sees_h=False)),
    "h trained too": Variant(loop={"network_learning_rate": NETWORK_LEARNING_RATE}),
    "no soft clamp": Variant(model=_levels(soft_clamp=False)),
    "no conditional affine": Variant(model=_levels(conditional_affine=False)),
    "permutations": Variant(model=_levels(mixing="permutation")),
    "default initialization": Variant(model=_levels(zero_start=False)),
    CHAIN: Variant(model=lambda flow, chain: replace(flow, levels=(chain,))),
    "one chain, reshape": Variant(
        against=CHAIN, model=lambda flow, chain: replace(flow, levels=(replace(chain, downsampling="reshape"),))
    ),
}

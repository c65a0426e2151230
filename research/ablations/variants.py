"""Ablations: each changes one component of a small wavelet flow, or of a small chain like the authors'."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from research.couplings.chain import ChainConfig
from research.couplings.cinn import CouplingConfig
from research.couplings.level import LevelConfig
from research.couplings.objective import Noise

__all__ = ["CHAIN", "SMALL_CHAIN", "VARIANTS", "WHOLE", "Variant"]

SMALL_CHAIN = ChainConfig(
    blocks=(2, 4, 4, 4), widths=(16, 32, 64, 128), head_widths=(16, 32, 64, 96), dense_blocks=4, dense_width=256
)
NETWORK_LEARNING_RATE = 2e-4
WHOLE = "whole"
CHAIN = "one chain"


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    against: str = WHOLE
    """the variant from which it differs in one component"""
    model: Callable[[CouplingConfig, ChainConfig], CouplingConfig] = lambda flow, _: flow
    """builds the network's configuration from those of the wavelet flow and of the chain"""
    noise: Noise = Noise()
    """noise of training"""
    loop: Mapping[str, float] = field(default_factory=dict)
    """changed options of the training loop"""


def _levels(**options: Any) -> Callable[[CouplingConfig, ChainConfig], CouplingConfig]:
    """Change an option of every level."""

    def change(flow: CouplingConfig, _: ChainConfig) -> CouplingConfig:
        levels = tuple(replace(level, **options) for level in flow.levels if isinstance(level, LevelConfig))
        return replace(flow, levels=levels)

    return change


VARIANTS: Mapping[str, Variant] = {
    WHOLE: Variant(),
    "no noise": Variant(noise=Noise(0.0, 0.0)),
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

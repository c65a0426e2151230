"""Small networks for tests, moved from their initial values, and inputs for them."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.config import AutoregressiveConfig, CinnConfig, DecoderConfig, DetailConfig, PriorConfig, RewardConfig

__all__ = ["TINY", "changed_parts", "default_dtype", "draw", "generator", "spread", "without_h"]

TINY = CinnConfig(
    coarsest=AutoregressiveConfig(width=16, heads=2, encoder_blocks=1, decoder_blocks=1, components=3),
    decoder=DecoderConfig(widths=(8, 8, 8, 8), stem_widths=(4, 4, 4), blocks=(1, 1, 1, 1), attention=(1, 1, 0, 0)),
    details=tuple(DetailConfig(size, condition_width=8, blocks=2, width=6, recalled=2) for size in (16, 32, 64)),
    prior=PriorConfig(width=8, heads=2, decoder_blocks=1, components=3),
    reward=RewardConfig(width=8, heads=2, blocks=1),
)
"""All four levels of the released network, with few channels."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Draw from N(0, 1)."""
    return torch.randn(*shape, dtype=dtype, generator=generator(seed))


def spread(*modules: nn.Module, gain: float = 0.5, seed: int = 3) -> None:
    """Move all parameters from their (partly zero) initial values, so that each has a small effect."""
    draws = generator(seed)
    with torch.no_grad():
        for module in modules:
            for p in module.parameters():
                p.copy_(torch.randn(p.shape, generator=draws) * (gain / max(p[0].numel(), 1) ** 0.5))


def changed_parts(before: nn.Module, after: nn.Module) -> set[str]:
    """Return the parts of a network in which some tensor has changed."""
    kept = before.state_dict()
    return {name.partition(".")[0] for name, value in after.state_dict().items() if not value.equal(kept[name])}


def without_h(cinn: Cinn) -> Cinn:
    """Copy a network for tests that begin with features; its h, which has most of the weights, is left out."""
    return copy.deepcopy(cinn, {id(cinn.network): nn.Module()})


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Build networks in this precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)

"""Sequences of invertible blocks, each with its condition; log-dets are added up."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, cast

from torch import Tensor, nn

__all__ = ["Invertible", "Step", "alternate", "module_list", "run", "run_inverse", "zeroed"]

Module = TypeVar("Module", bound=nn.Module)


class Invertible(Protocol):
    """A block that runs in both directions, each with the log-det of that direction, (B,)."""

    def __call__(self, x: Tensor, condition: Tensor, /) -> tuple[Tensor, Tensor]: ...

    def inverse(self, z: Tensor, condition: Tensor, /) -> tuple[Tensor, Tensor]: ...


Step = tuple[Invertible, Tensor]
"""A block and its condition; fixed blocks ignore theirs."""


def run(steps: Sequence[Step], x: Tensor) -> tuple[Tensor, Tensor]:
    """Run blocks from the first to the last."""
    log_det = x.new_zeros(len(x))
    for block, condition in steps:
        x, part = block(x, condition)
        log_det = log_det + part
    return x, log_det


def run_inverse(steps: Sequence[Step], z: Tensor) -> tuple[Tensor, Tensor]:
    """Run the inverses of blocks from the last to the first."""
    log_det = z.new_zeros(len(z))
    for block, condition in reversed(steps):
        z, part = block.inverse(z, condition)
        log_det = log_det + part
    return z, log_det


def alternate(firsts: Sequence[Invertible], seconds: Sequence[Invertible], shares: Sequence[Tensor]) -> list[Step]:
    """Alternate couplings and mixings, or other pairs; both blocks of a pair get its share of the condition."""
    pairs = zip(firsts, seconds, shares, strict=True)
    return [step for first, second, share in pairs for step in ((first, share), (second, share))]


def module_list(modules: Iterable[Module]) -> Sequence[Module]:
    """Return a ModuleList whose items keep their type, which torch's own hides."""
    return cast(Sequence[Module], nn.ModuleList(modules))


def zeroed(layer: Module) -> Module:
    """Return a layer with all its weights, and its bias, set to zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer

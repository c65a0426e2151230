"""Exponential moving average of weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["Ema"]


class Ema:
    """Average of a module's parameters. Its decay warms up, so that it soon forgets the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = module
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the module's parameters after a step (counted from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, p in self.module.named_parameters():
            self.values[name].lerp_(p, 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Replace the module's parameters by their averages."""
        for name, p in self.module.named_parameters():
            p.copy_(self.values[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Replace the module's parameters for the duration of a block."""
        kept: dict[str, Tensor] = {name: p.detach().clone() for name, p in self.module.named_parameters()}
        self.apply()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, p in self.module.named_parameters():
                    p.copy_(kept[name])

"""The interface between a training loop and the part that it trains."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from training.processes import Share

__all__ = ["NATS_PER_BIT", "Losses", "Objective", "draw_noise", "matrices_of"]

NATS_PER_BIT = math.log(2)
BatchT = TypeVar("BatchT", contravariant=True)
"""A dataset's batch: `Batch` for photos."""


class Losses(NamedTuple):
    """Losses of a batch, each a mean over its examples."""

    shown: Tensor
    """(len(names),): reported; those of held-out examples choose the weights"""
    minimized: Tensor
    """(): the sum whose gradient trains the part"""


class Objective(ABC, Generic[BatchT]):
    """One part of a network, and its training loss."""

    names: tuple[str, ...]
    """names of the reported losses"""
    module: nn.Module
    """the module whose parameters are trained"""
    weight_decay: float
    paces: Mapping[str, float] = {}
    """shares of AdamW's rate by prefix of parameter names; others have the full rate"""

    def compute(self, batch: BatchT, generator: torch.Generator, share: Share = Share()) -> Losses:
        """Compute the losses of one batch, under the noise of training; by default, there is none.

        share: which part of a joint batch this one is; it has the noise that it would have there.
        """
        losses = self.held_out(batch, generator).mean(0)
        return Losses(losses.detach(), losses.sum())

    @abstractmethod
    def held_out(self, batch: BatchT, generator: torch.Generator) -> Tensor:
        """Return (B, len(names)) losses of held-out examples."""

    def matrices(self) -> list[nn.Parameter]:
        """Return the parameters that Muon trains, matrices and kernels; AdamW takes the others, by default all."""
        return []


def draw_noise(like: Tensor, generator: torch.Generator, share: Share) -> Tensor:
    """Return standard Gaussian noise for this process's share of a joint batch, the same for any number of shares."""
    joint = torch.randn((len(like) * share.of, *like.shape[1:]), generator=generator)
    return joint[share.rows].to(like.device)


def matrices_of(blocks: nn.Module) -> list[nn.Parameter]:
    """Return the weight matrices of a module's linear layers and the kernels of its convolutions."""
    kinds = (nn.Linear, nn.Conv2d)
    return [cast(nn.Parameter, layer.weight) for layer in blocks.modules() if type(layer) in kinds]

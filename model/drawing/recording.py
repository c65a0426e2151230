"""The passes that every coloring takes, recorded once: no Python runs between their operations.

Python's interpreter takes a third of a small pass, and lets one thread run at a time; recorded passes run side by side.
torch advises torch.compile in place of its recorder, but that needs minutes and a C++ compiler at every start.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from model.flow.cinn import LIGHTNESS_SIZE, Cinn, Samples

__all__ = ["RecordedPasses"]

WARM_UPS = 2
"""Calls that torch watches before it settles on how to run what was recorded."""


class RecordedPasses:
    """`Cinn.condition` and `Cinn.add_details` for batches of one size; may be called by several threads.

    The cINN's parameters must not need gradients, and must not change any more.
    """

    def __init__(self, cinn: Cinn, samples: int) -> None:
        """samples: of every call to `add_details`."""
        device = cinn.chroma_mean.device
        lightness = torch.full((1, 1, LIGHTNESS_SIZE, LIGHTNESS_SIZE), 50.0, device=device)
        self._condition = _record(lambda photo: tuple(cinn.condition(photo)), lightness)
        condition = tuple(torch.cat([level] * samples) for level in self._condition(lightness))
        coarsest = torch.zeros(samples, *cinn.coarsest.data_shape, device=device)
        latents = tuple(torch.zeros(samples, dims, device=device) for dims in cinn.dims[1:])
        self._add_details = _record(lambda c, x, z: tuple(cinn.add_details(c, x, z)), condition, coarsest, latents)

    def condition(self, lightness: Tensor) -> list[Tensor]:
        """Do what `Cinn.condition` does, for (1, 1, 256, 256)."""
        return list(self._condition(lightness))

    def add_details(self, condition: Sequence[Tensor], coarsest: Tensor, latents: Sequence[Tensor]) -> Samples:
        """Do what `Cinn.add_details` does."""
        return Samples(*self._add_details(tuple(condition), coarsest, tuple(latents)))


def _record(function: Callable[..., tuple[Tensor, ...]], *examples: Any) -> Callable[..., tuple[Tensor, ...]]:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the advice above, and that sizes become constants, as they should
        recorded = torch.jit.trace(function, examples, check_trace=False)  # type: ignore[no-untyped-call] # torch's
        for _ in range(WARM_UPS):
            recorded(*examples)
    return cast(Callable[..., tuple[Tensor, ...]], recorded)

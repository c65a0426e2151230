"""Latents of one photo decoded by the passes that the service uses."""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.drawing.passes import Decoded, Passes
from model.drawing.runtimes.runtime import Condition

__all__ = ["decode"]


def decode(passes: Passes, condition: Condition, latents: Sequence[Tensor]) -> Decoded:
    """Decode (N, dim) latents of each level at temperature 1. Raises NonFiniteError."""
    coarsest = passes.draw_coarsest([condition], [latents[0]], [torch.ones(len(latents[0]))], [None])
    (decoded,) = passes.add_details([condition], coarsest, [latents[1:]])
    return decoded

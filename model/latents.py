"""Latents: drawn from a seed, scaled by temperature, rescaled to a norm."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.errors import InputError

__all__ = ["draw_latents", "latent_norms", "rescale_latents"]

MAX_TEMPERATURE = 2.0
MAX_LATENT_NORM = 2.0


def draw_latents(
    dims: Sequence[int], exponents: Sequence[float], seed: int, indices: Sequence[int], temperature: float
) -> list[Tensor]:
    """Draw the latents of the given samples, one float32 tensor (N, dim) for each level, coarse to fine.

    Level l has standard deviation temperature^exponents[l]: above 1, an exponent cools a fine level first.
    Sample i depends on (seed, i, temperature) alone, on every device. Raises InputError out of range.
    """
    if not 0 <= temperature <= MAX_TEMPERATURE:  # also refuses NaN
        raise InputError("temperature", f"0 to {MAX_TEMPERATURE}", temperature)
    if not 0 <= seed < 2**32:
        raise InputError("seed", "0 to 2³² − 1", seed)
    generators = [_generator(seed, index) for index in indices]
    return [
        temperature**exponent * torch.stack([torch.randn(dim, generator=generator) for generator in generators])
        for dim, exponent in zip(dims, exponents, strict=True)
    ]


def latent_norms(latents: Sequence[Tensor]) -> Tensor:
    """‖z‖/√dim over all levels: (N,) from (N, dim) of each level."""
    squares = torch.stack([z.square().sum(1) for z in latents]).sum(0)
    return (squares / sum(z.shape[1] for z in latents)).sqrt()


def rescale_latents(latents: Sequence[Tensor], norm: float) -> list[Tensor]:
    """Rescale every sample to ‖z‖/√dim = norm, keeping its direction.

    Raises InputError for a norm out of range, or for a latent of 0 that has no direction.
    """
    if not 0 <= norm <= MAX_LATENT_NORM:
        raise InputError("latent_norm", f"0 to {MAX_LATENT_NORM}", norm)
    norms = latent_norms(latents)
    if norm > 0 and not bool((norms > 0).all()):
        raise InputError("latent_norm", "a temperature above 0, for z = 0 has no direction", norm)
    factors = norm / norms.clamp_min(math.ulp(1.0))
    return [z * factors[:, None] for z in latents]


def _generator(seed: int, index: int) -> torch.Generator:
    # SeedSequence spreads nearby seeds and indices over the whole range.
    state = int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state % 2**63)

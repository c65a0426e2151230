"""Latents: drawn from a seed, scaled by temperature, rescaled to a norm, mixed with others and interpolated."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.options import MAX_LATENT_NORM, MAX_TEMPERATURE, check_range

__all__ = [
    "deviations_at",
    "draw_latents",
    "interpolate_latents",
    "latent_norms",
    "mix_latents",
    "rescale_latents",
    "temperature_of_norm",
]

Floats = NDArray[np.float32]

SMALLEST_NORM = 1e-6
"""Norms below this count as 0: such latents are 0 in float32."""
BISECTIONS = 50
STRATA = 6
"""Number of stratified binary digits: blocks of up to 2^STRATA samples are stratified, the maximum of one request."""
GAUSSIAN = NormalDist()
TINY = 2.0**-53
"""Minimum probability in each tail: float64 holds 1 − 2⁻⁵³, and a latent must not be ∞."""
SMALL, LARGE = 512, 600
"""Longer sides, in pixels, up to which a photo's grain is full, and from which it is weakest."""
LARGE_EXPONENT = 0.84
"""Minimum γ of a level in large photos.

Grain is as wide as a cell of its level. In a small photo it is as fine as that of a film, in a large one it is seen as
stains: in photos of 600 to 800 pixels, viewers saw them on 41 % of the pictures with this γ and T = 0.6, on 51 % with
0.09; at 520 pixels on as many.
"""
MIN_ANGLE = 1e-3
"""Radians: latents with a smaller angle, or as nearly opposite, are interpolated linearly."""


def draw_latents(
    dims: Sequence[int], deviations: Sequence[float], seed: int, indices: Sequence[int], stratified: bool = False
) -> list[Floats]:
    """Draw the latents of the given samples, one array (N, dim) for each level, coarse to fine.

    Each sample's latents are Gaussian, and sample i depends on (seed, i) alone. Samples are independent, unless the
    coarsest level's are stratified: then samples 0 to 3 have, in each dimension, one value in each quarter of the
    distribution; the same holds for every block of a power of two. So a few samples differ more than independent ones.
    Source: Owen 1995, Randomly Permuted (t,m,s)-Nets and (t,s)-Sequences; here a separate net for each dimension.

    deviations: standard deviation of each level. Raises InputError for a seed out of range.
    """
    if not 0 <= seed < 2**32:
        raise InputError("seed", "0 to 2³² − 1", seed)
    generators = [_generator(seed, index) for index in indices]
    latents = [np.stack([each.standard_normal(dim, np.float32) for each in generators]) for dim in dims]
    if stratified:
        latents[0] = np.stack([_stratify(z, seed, index) for z, index in zip(latents[0], indices, strict=True)])
    return [np.float32(deviation) * z for deviation, z in zip(deviations, latents, strict=True)]


def deviations_at(temperature: float, exponents: Sequence[float], longest: int = SMALL) -> list[float]:
    """Return each level's standard deviation at a temperature: temperature^γ, so that a γ above 1 cools a level more.

    Temperatures above 1 apply equally to all levels. longest: pixels of the photo's longer side; for large photos, γ is
    at least LARGE_EXPONENT. Raises InputError for a temperature out of range.
    """
    check_range("temperature", temperature, 0, MAX_TEMPERATURE)
    share = min(max(math.log(longest / SMALL) / math.log(LARGE / SMALL), 0), 1)
    own = [exponent + share * max(LARGE_EXPONENT - exponent, 0) for exponent in exponents]
    return [float(temperature if temperature > 1 else temperature**exponent) for exponent in own]


def temperature_of_norm(dims: Sequence[int], exponents: Sequence[float], norm: float) -> float:
    """Return the temperature whose latents have this root mean square norm; so every level keeps its share.

    Raises InputError for a norm out of range.
    """
    check_range("latent_norm", norm, 0, MAX_LATENT_NORM)
    if norm >= 1:
        return norm  # where the exponents no longer count
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        squares = sum(dim * middle ** (2 * exponent) for dim, exponent in zip(dims, exponents, strict=True))
        low, high = (middle, high) if squares < norm**2 * sum(dims) else (low, middle)
    return low


def latent_norms(latents: Sequence[Floats]) -> NDArray[np.float64]:
    """Return ‖z‖/√dim over all levels: (N,) from (N, dim) of each level."""
    squares = sum(np.square(z, dtype=np.float64).sum(1) for z in latents)
    return np.asarray(np.sqrt(squares / sum(z.shape[1] for z in latents)))


def rescale_latents(latents: Sequence[Floats], norm: float) -> list[Floats]:
    """Rescale every sample to ‖z‖/√dim = norm, keeping its direction.

    Raises InputError for a norm out of range, or for a latent of 0 that has no direction.
    """
    check_range("latent_norm", norm, 0, MAX_LATENT_NORM)
    norms = latent_norms(latents)
    if norm > SMALLEST_NORM and not (norms > 0).all():
        raise InputError("latent_norm", "0, because z = 0 has no direction", norm)
    factors = (norm / norms.clip(math.ulp(1.0))).astype(np.float32)
    return [z * factors[:, None] for z in latents]


def mix_latents(latents: Sequence[Floats], noise: Sequence[Floats], weights: Sequence[float]) -> list[Floats]:
    """Return w·z + √(1 − w²)·ε, with a weight w in 0…1 for each level: 1 keeps z exactly, 0 is ε.

    latents: (N or 1, dim) of each level. noise: (N, dim) of each level. If both are Gaussian, so is their mixture.
    """
    if len(weights) != len(latents) or not all(0 <= w <= 1 for w in weights):
        raise InputError("weights", f"{len(latents)} numbers from 0 to 1", tuple(weights))
    return [
        np.float32(w) * z + np.float32(math.sqrt(1 - w * w)) * e
        for z, e, w in zip(latents, noise, weights, strict=True)
    ]


def interpolate_latents(
    start: Sequence[Floats], end: Sequence[Floats], positions: Sequence[float], spherical: bool = True
) -> list[Floats]:
    """Go from one latent, (1, dim) of each level, to another: (P, dim) for P positions in 0…1.

    The spherical path changes each level's direction and norm evenly, so that a latent between two Gaussian ones has
    the norm of a Gaussian latent. Position 0 is the start and position 1 the end, exactly.
    """
    t = np.array(positions, np.float64)[:, None]
    return [_interpolate(a, b, t, spherical) for a, b in zip(start, end, strict=True)]


def _interpolate(a: Floats, b: Floats, t: NDArray[np.float64], spherical: bool) -> Floats:
    share_a, share_b = 1 - t, t
    norm_a, norm_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if spherical and norm_a > 0 and norm_b > 0:
        angle = math.acos(max(-1.0, min(1.0, float(np.sum(a * b, dtype=np.float64)) / (norm_a * norm_b))))
        if MIN_ANGLE < angle < math.pi - MIN_ANGLE:  # else they have one direction, or no unique shortest path
            norm = (1 - t) * norm_a + t * norm_b
            share_a = np.sin((1 - t) * angle) / math.sin(angle) * norm / norm_a
            share_b = np.sin(t * angle) / math.sin(angle) * norm / norm_b
    between = share_a.astype(np.float32) * a + share_b.astype(np.float32) * b
    return np.where(t == 0, a, np.where(t == 1, b, between))


def _stratify(z: Floats, seed: int, index: int) -> Floats:
    """Move each of a sample's independent Gaussians, (dim,), into the sample's stratum of the distribution."""
    shares = np.array([GAUSSIAN.cdf(each) for each in z.tolist()])
    parts = np.zeros(len(z), np.int64)
    for place in range(STRATA):  # halves first, then quarters, …
        # flipped separately for each stratum and block of samples, else samples 0 and 4 would share all their quarters
        flipped = _generator(seed, index >> place + 1, 1 + place).integers(0, 2, (2**place, len(z)))
        parts = 2 * parts + ((index >> place & 1) ^ flipped[parts, np.arange(len(z))])
    shares = (parts + shares) / 2**STRATA
    return np.array([GAUSSIAN.inv_cdf(min(max(each, TINY), 1 - TINY)) for each in shares.tolist()], np.float32)


def _generator(seed: int, index: int, purpose: int = 0) -> np.random.Generator:
    # Numbers of different keys are independent, however near the keys lie.
    return np.random.Generator(np.random.Philox(key=[seed, index << 32 | purpose]))

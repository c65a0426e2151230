"""`Mixture` in both directions, compiled for CPUs: torch needs thousands of small calls for the same."""

import math

import numpy as np
from numpy.typing import NDArray

from model.compiling import compiled

__all__ = ["draw_outputs", "draw_rows", "latents_of_outputs", "log_prob_of_outputs"]

Floats = NDArray[np.float64]

STEPS = 60
TOLERANCE = 1e-13
"""Tolerance of a quantile, as a share of its first bracket."""
HALF_ROOT = math.sqrt(0.5)
ROOT_TAU = math.sqrt(2 * math.pi)


@compiled(cache=True, nogil=True)
def draw_rows(
    log_weights: Floats,
    means: Floats,
    log_scales: Floats,
    correlations: Floats,
    temperatures: Floats,
    z: Floats,
    nucleus_exponent: float,
    smallest_temperature: float,
    out: Floats,
) -> None:
    """Map N pairs of Gaussian latents to draws of N mixtures, each at a temperature, in `out`: (N, 2).

    Writes to `out`, because to return an array numba would unpickle code of its own.

    log_weights, correlations: (N, K). means, log_scales: (N, 2, K). temperatures: (N,). z: (N, 2).
    """
    rows, components = log_weights.shape
    weights, second = np.empty(components), np.empty(components)
    scales, mean_b, scale_b = np.empty(components), np.empty(components), np.empty(components)
    for n in range(rows):
        heaviest = np.argmax(log_weights[n])
        temperature = temperatures[n]
        if temperature == 0:
            out[n] = means[n, :, heaviest]
            continue
        weights[:] = np.exp(log_weights[n])
        if temperature < 1:
            share, before = temperature**nucleus_exponent, 0.0
            for k in np.argsort(-log_weights[n]):
                weight = weights[k]
                if before >= share and k != heaviest:
                    weights[k] = 0
                before += weight
        weights /= weights.sum()
        factor = max(temperature, smallest_temperature)
        scales[:] = np.exp(log_scales[n, 0]) * factor
        a = _quantile(weights, means[n, 0], scales, z[n, 0])
        _second(
            weights, means[n], scales, np.exp(log_scales[n, 1]) * factor, correlations[n], a, second, mean_b, scale_b
        )
        out[n, 0] = a
        out[n, 1] = _quantile(second, mean_b, scale_b, z[n, 1])


@compiled(cache=True, nogil=True)
def draw_outputs(
    output: NDArray[np.float32],
    temperatures: Floats,
    z: Floats,
    given: NDArray[np.float32],
    scale_limits: tuple[float, float],
    correlation_limit: float,
    nucleus_exponent: float,
    smallest_temperature: float,
    out: Floats,
) -> None:
    """Do the work of `Mixture.from_output(…).draw(…)` for (N, 6·K), in `out`: (N, 2).

    given: (N, 2), NaN where a cell is to be drawn.
    """
    mixtures = _mixtures(output, scale_limits, correlation_limit)
    draw_rows(*mixtures, temperatures, z, nucleus_exponent, smallest_temperature, out)
    for n in range(len(output)):
        if not math.isnan(given[n, 0]):
            out[n] = given[n]


@compiled(cache=True, nogil=True)
def latents_of_outputs(
    output: NDArray[np.float32],
    x: Floats,
    scale_limits: tuple[float, float],
    correlation_limit: float,
    z: Floats,
    log_dets: Floats,
) -> None:
    """Do the work of `Mixture.from_output(…).forward(…)`: (N, 6·K) and (N, 2) to `z`, (N, 2), and `log_dets`, (N,)."""
    components = output.shape[1] // 6
    log_weights, means, log_scales, correlations = _mixtures(output, scale_limits, correlation_limit)
    weights, scales = np.empty(components), np.empty(components)
    second, mean_b, scale_b = np.empty(components), np.empty(components), np.empty(components)
    for n in range(len(output)):
        a, b = x[n]
        weights[:] = np.exp(log_weights[n])
        scales[:] = np.exp(log_scales[n, 0])
        z[n, 0] = _latent(weights, means[n, 0], scales, a)
        _second(weights, means[n], scales, np.exp(log_scales[n, 1]), correlations[n], a, second, mean_b, scale_b)
        z[n, 1] = _latent(second, mean_b, scale_b, b)
        log_density = _log_density(a, b, log_weights[n], means[n], log_scales[n], correlations[n])
        log_dets[n] = log_density + 0.5 * (z[n, 0] ** 2 + z[n, 1] ** 2) + math.log(2 * math.pi)


@compiled(cache=True, nogil=True)
def log_prob_of_outputs(
    output: NDArray[np.float32],
    x: NDArray[np.float32],
    scale_limits: tuple[float, float],
    correlation_limit: float,
    log_prob: Floats,
) -> None:
    """Do the work of `Mixture.from_output(…).log_prob(…)`: (N, 6·K) and (N, 2) to `log_prob`, (N,)."""
    log_weights, means, log_scales, correlations = _mixtures(output, scale_limits, correlation_limit)
    for n in range(len(output)):
        a, b = x[n]
        log_prob[n] = _log_density(a, b, log_weights[n], means[n], log_scales[n], correlations[n])


@compiled(cache=True, nogil=True)
def _second(
    weights: Floats,
    means: Floats,
    scales_a: Floats,
    scales_b: Floats,
    correlations: Floats,
    a: float,
    second: Floats,
    mean_b: Floats,
    scale_b: Floats,
) -> None:
    """Write p(b | a): in `second` every component's share of p(a), in `mean_b` and `scale_b` its Gaussian."""
    most = -math.inf
    for k in range(len(weights)):
        u = (a - means[0, k]) / scales_a[k]
        mean_b[k] = means[1, k] + correlations[k] * scales_b[k] * u
        scale_b[k] = scales_b[k] * math.sqrt(1 - correlations[k] ** 2)
        second[k] = math.log(weights[k]) - 0.5 * u * u - math.log(scales_a[k]) if weights[k] > 0 else -math.inf
        most = max(most, second[k])
    second[:] = np.exp(second - most)
    second /= second.sum()


@compiled(cache=True, nogil=True)
def _latent(weights: Floats, means: Floats, scales: Floats, x: float) -> float:
    """Φ⁻¹(F(x)) of a mixture of Gaussians on a line, computed in the smaller tail, so that it is exact in both."""
    below, above = 0.0, 0.0
    for k in range(len(weights)):
        u = (x - means[k]) / scales[k] * HALF_ROOT
        below += weights[k] * 0.5 * math.erfc(-u)
        above += weights[k] * 0.5 * math.erfc(u)
    return _normal_quantile(below) if below < above else -_normal_quantile(above)


@compiled(cache=True, nogil=True)
def _normal_quantile(p: float) -> float:
    """Φ⁻¹(p) of p ≤ ½: Newton's method on log Φ, which is concave, from the left, where it cannot overshoot."""
    if not 0 < p < 0.5:
        return 0.0 if p >= 0.5 else (-math.inf if p == 0 else p)  # NaN stays
    z = -math.sqrt(-2 * math.log(2 * p))  # Φ(−t) ≤ ½·exp(−t²/2)
    for _ in range(STEPS):
        tail = 0.5 * math.erfc(-z * HALF_ROOT)
        if tail < 1e-307:  # of z below −37.5; there exp(½z²) would soon be infinite
            return z
        step = (math.log(p) - math.log(tail)) * tail * ROOT_TAU * math.exp(0.5 * z * z)
        z += step
        if abs(step) <= TOLERANCE:
            return z
    return z


@compiled(cache=True, nogil=True)
def _mixtures(
    output: NDArray[np.float32], scale_limits: tuple[float, float], correlation_limit: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Do the work of `Mixture.from_output`."""
    rows, components = output.shape[0], output.shape[1] // 6
    parts = output.astype(np.float64).reshape(rows, 6, components)
    log_weights = parts[:, 0].copy()
    for n in range(rows):
        log_weights[n] -= log_weights[n].max()
        log_weights[n] -= math.log(np.exp(log_weights[n]).sum())
    log_scales = np.minimum(np.maximum(parts[:, 3:5], scale_limits[0]), scale_limits[1])
    return log_weights, parts[:, 1:3].copy(), log_scales, correlation_limit * np.tanh(parts[:, 5])


@compiled(cache=True, nogil=True)
def _log_density(
    a: float, b: float, log_weights: Floats, means: Floats, log_scales: Floats, correlations: Floats
) -> float:
    """Log-density of one mixture at (a, b)."""
    most, terms = -math.inf, np.empty(len(log_weights))
    for k in range(len(log_weights)):
        u = (a - means[0, k]) * math.exp(-log_scales[0, k])
        v = (b - means[1, k]) * math.exp(-log_scales[1, k])
        rest = 1 - correlations[k] ** 2
        square = (u * u - 2 * correlations[k] * u * v + v * v) / rest
        log_scale = log_scales[0, k] + log_scales[1, k] + 0.5 * math.log(rest)
        terms[k] = log_weights[k] - 0.5 * square - log_scale - math.log(2 * math.pi)
        most = max(most, terms[k])
    return most + math.log(np.exp(terms - most).sum())


@compiled(cache=True, nogil=True)
def _quantile(weights: Floats, means: Floats, scales: Floats, z: float) -> float:
    """F⁻¹(Φ(z)) of a mixture of Gaussians on a line: Newton's method on the log of the smaller tail, in a bracket."""
    low, high = math.inf, -math.inf
    for k in range(len(weights)):
        if weights[k] > 0:
            low, high = min(low, means[k] + scales[k] * z), max(high, means[k] + scales[k] * z)
    if not low < high:  # one component, or numbers that are not finite
        return low
    side = 1.0 if z < 0 else -1.0
    target = math.log(0.5 * math.erfc(abs(z) * HALF_ROOT))
    width = high - low
    x = 0.5 * (low + high)
    for _ in range(STEPS):
        tail, density = 0.0, 0.0
        for k in range(len(weights)):
            u = (x - means[k]) / scales[k]
            tail += weights[k] * 0.5 * math.erfc(-side * u * HALF_ROOT)
            density += weights[k] * math.exp(-0.5 * u * u) / (scales[k] * ROOT_TAU)
        missed = math.log(tail) - target if tail > 0 else -math.inf
        if (missed < 0) == (side > 0):
            low = x
        else:
            high = x
        step = -side * missed * tail / density if density > 0 and tail > 0 else math.inf
        moved = x + step
        if not low < moved < high:
            moved = 0.5 * (low + high)
        if abs(moved - x) <= TOLERANCE * width:
            return moved
        x = moved
    return x

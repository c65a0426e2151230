"""Mixtures of bivariate Gaussians, compiled for CPUs: from a network's output to draws or latents.

`model.flow.mixture` defines them in torch. This module holds the constants of both.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["begin_drawing", "draw_outputs", "latents_of_outputs", "log_prob_of_outputs"]

SMALLEST_TEMPERATURE = 1e-6
"""Lower temperatures are raised to this: a scale of 0 has no density."""
SCALE_LIMITS = (-4.5, 2.0)
"""Smallest and largest log-scale of a component."""
CORRELATION_LIMIT = 0.98
NUCLEUS_EXPONENT = 0.5
"""At temperature T < 1 a mixture keeps its heaviest components, up to a share T^NUCLEUS_EXPONENT of the weight."""


def draw_outputs(
    output: NDArray[np.float32], temperatures: NDArray[np.float64], z: NDArray[np.float64], given: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Do the work of `Mixture.from_output` and `draw` in one call: (N, 6·K) to (N, 2).

    given: (N, 2), NaN where a cell is to be drawn.
    """
    from model.flow.mixture_kernel import draw_outputs  # late: it imports numba

    numbers = (SCALE_LIMITS, CORRELATION_LIMIT, NUCLEUS_EXPONENT, SMALLEST_TEMPERATURE)
    found = np.empty((len(z), 2))
    draw_outputs(output, temperatures, z, given, *numbers, found)
    return found


def latents_of_outputs(
    output: NDArray[np.float32], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Do the work of `Mixture.from_output` and `forward`: (N, 2) to latents (N, 2) and log-dets (N,).

    output: (N, 6·K), contiguous. Tails are exact to |z| of about 30.
    """
    from model.flow.mixture_kernel import latents_of_outputs  # late: it imports numba

    z, log_dets = np.empty((len(x), 2)), np.empty(len(x))
    latents_of_outputs(output, x, SCALE_LIMITS, CORRELATION_LIMIT, z, log_dets)
    return z, log_dets


def log_prob_of_outputs(output: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Do the work of `Mixture.from_output` and `log_prob`: (N, 2) to their log-densities, (N,), in nats.

    output: (N, 6·K), contiguous.
    """
    from model.flow.mixture_kernel import log_prob_of_outputs  # late: it imports numba

    log_prob = np.empty(len(x))
    log_prob_of_outputs(output, x, SCALE_LIMITS, CORRELATION_LIMIT, log_prob)
    return log_prob


def begin_drawing() -> None:
    """Call every kernel once, since numba's first draw takes nearly a second longer."""
    output, cell = np.zeros((1, 6), np.float32), np.zeros((1, 2))
    draw_outputs(output, np.ones(1), cell, cell.astype(np.float32))
    log_prob_of_outputs(output, cell.astype(np.float32))
    latents_of_outputs(output, cell)

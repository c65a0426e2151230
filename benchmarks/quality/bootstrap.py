"""Statistics over photos, and their bootstrap standard errors."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Statistic", "Weights", "mean", "mean_and_error", "ratio", "with_error"]

REPLICATES = 256
SEED = 0

Weights = NDArray[np.float64]
"""(N,), weight of each photo"""
Statistic = Callable[[Weights], float]


def mean(values: Sequence[float] | NDArray[np.floating]) -> Statistic:
    """Return the weighted mean of one value per photo."""
    array = np.asarray(values, np.float64)
    return lambda weights: float(weights @ array / weights.sum())


def ratio(above: Sequence[float] | NDArray[np.floating], below: Sequence[float] | NDArray[np.floating]) -> Statistic:
    """Return the ratio of the weighted sums of two values per photo; NaN where the second sum is 0."""
    numerator, denominator = np.asarray(above, np.float64), np.asarray(below, np.float64)

    def statistic(weights: Weights) -> float:
        total = weights @ denominator
        return float(weights @ numerator / total) if total else float("nan")

    return statistic


def with_error(statistic: Statistic, photos: int, replicates: int = REPLICATES) -> tuple[float, float | None]:
    """Return a statistic over photos, and its standard error, or None if a single photo leaves it unknown.

    The error is the standard deviation over bootstrap samples of the photos, NaN left out.
    Source: Efron 1979, Bootstrap Methods: Another Look at the Jackknife.
    """
    rng = np.random.default_rng(SEED)
    draws = rng.multinomial(photos, np.full(photos, 1 / photos), replicates).astype(np.float64)
    values = np.array([statistic(weights) for weights in draws])
    values = values[np.isfinite(values)]
    return statistic(np.ones(photos)), float(values.std()) if photos > 1 and values.size else None


def mean_and_error(values: Sequence[float] | NDArray[np.floating]) -> tuple[float, float | None]:
    """Return the mean of one value per photo, and its standard error, as `with_error` does."""
    return with_error(mean(values), len(values))

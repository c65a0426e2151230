"""Distances between sets of pictures and bootstrap errors, by their laws."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.bootstrap import mean, ratio, with_error
from benchmarks.quality.distances import Fid, Kid


def draw(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def kernel(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    return float((x.astype(float) @ y / x.size + 1) ** 3)


def test_kid_is_the_mean_over_pairs_of_different_photos() -> None:
    x, y = draw(4, 3), draw(4, 2, 3, seed=1)
    terms = [
        kernel(x[i], x[j]) + kernel(y[i, s], y[j, t]) - kernel(x[i], y[j, t]) - kernel(x[j], y[i, s])
        for i in range(4)
        for j in range(4)
        for s in range(2)
        for t in range(2)
        if i != j
    ]
    assert Kid(y, x)(np.ones(4)) == pytest.approx(np.mean(terms))


def test_fid_of_gaussians() -> None:
    truth, weights = draw(1500, 4, seed=2), np.ones(1500)
    # Means 1 apart in each of 4 dimensions and deviations 1 and 2: 4·1 + 4·(1 + 4 − 2·2) = 8.
    assert Fid(1 + 2 * draw(1500, 4), truth)(weights) == pytest.approx(8, rel=0.1)  # 1500 draws determine each to 2%
    assert Fid(truth, truth)(weights) == pytest.approx(0, abs=1e-4)  # square roots keep half of the digits


def test_fid_is_the_same_with_more_features_than_photos() -> None:
    few = draw(9, 5), draw(9, 5, seed=1)
    assert Fid(*few)(np.ones(9)) == pytest.approx(Fid(*(np.pad(each, ((0, 0), (0, 9))) for each in few))(np.ones(9)))


@pytest.mark.parametrize("distance", [Kid, Fid])
def test_a_weight_of_two_is_a_photo_drawn_twice(distance: type[Kid] | type[Fid]) -> None:
    x, y = draw(9, 5), draw(9, 5, seed=1)
    weights = np.array([2, 0, 1, 1, 1, 1, 1, 1, 1], float)
    rows = np.repeat(np.arange(9), weights.astype(int))
    if distance is Fid:
        assert Fid(y, x)(weights) == pytest.approx(Fid(y[rows], x[rows])(np.ones(9)))
    else:  # leaves out pairs of a photo with itself
        whole = Kid(y[rows, None], x[rows])
        whole.discrepancy[0, 1] = whole.discrepancy[1, 0] = 0
        expected = whole.discrepancy.sum() / (9 * 8 - 2)
        assert Kid(y[:, None], x)(weights) == pytest.approx(expected)


def test_the_error_of_a_mean() -> None:
    values = draw(400)
    # The spread over 256 replicates has an error of 4%.
    assert with_error(mean(values), 400)[1] == pytest.approx(values.std() / 20, rel=0.15)
    assert with_error(mean(np.ones(400)), 400)[1] == pytest.approx(0, abs=1e-12)
    assert with_error(mean([3.0]), 1) == (3.0, None)


def test_ratio() -> None:
    assert ratio([1, 5], [2, 4])(np.array([1.0, 1.0])) == pytest.approx(1)
    assert ratio([1, 5], [2, 4])(np.array([2.0, 0.0])) == pytest.approx(0.5)
    assert np.isnan(ratio([1], [0])(np.ones(1)))
    error = with_error(ratio([3, 3], [1, 0]), 2)[1]
    assert error is not None
    assert error > 0  # replicates without a denominator are left out

"""The benchmark of the latent tools, on a tiny network."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import rgb2lab

from benchmarks.quality.latents import MAX_PSNR, PROMISES, mean_pairwise, pooled, psnr, rmse
from model.colorizer import CinnColorizer


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    y, x = np.mgrid[0:64, 0:64] / 64
    return np.stack((200 * x + 30, 120 + 60 * np.sin(4 * y), 200 - 150 * x * y), 2).astype(np.uint8)


@pytest.mark.parametrize("name", PROMISES)
def test_every_promise_is_measured(colorizer: CinnColorizer, photo: NDArray[np.uint8], name: str) -> None:
    promise = PROMISES[name]
    found = pooled([promise.measure(colorizer, photo, 0)] * 2)
    assert all(np.isfinite(values).all() for values in found.values())
    if name in ("round_trip", "variation"):  # these hold for every network, trained or not
        assert promise.keeps(found)


def test_measures(photo: NDArray[np.uint8]) -> None:
    other = photo[::-1].copy()
    expected = np.linalg.norm(rgb2lab(photo) - rgb2lab(other), axis=2).mean()
    assert mean_pairwise(np.stack((photo, photo, other))) == pytest.approx(2 / 3 * expected, rel=1e-3)
    gray, darker = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 49, np.uint8)
    assert rmse(gray[None], darker) == pytest.approx(20)
    assert psnr(gray, darker) == pytest.approx(20 * math.log10(5))
    assert psnr(gray, gray) == MAX_PSNR

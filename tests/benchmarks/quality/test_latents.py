"""The benchmark of the latent tools, on a tiny network."""

import math

import numpy as np
import pytest
from skimage.color import rgb2lab

from benchmarks.quality.latents import MAX_PSNR, PROMISES, mean_pairwise, pooled, psnr, rmse
from model.colorizer import CinnColorizer

Y, X = np.mgrid[0:64, 0:64] / 64
PHOTO = np.stack((200 * X + 30, 120 + 60 * np.sin(4 * Y), 200 - 150 * X * Y), 2).astype(np.uint8)


@pytest.mark.parametrize("name", PROMISES)
def test_every_promise_is_measured(colorizer: CinnColorizer, name: str) -> None:
    promise = PROMISES[name]
    found = pooled([promise.measure(colorizer, PHOTO, 0)] * 2)
    assert all(np.isfinite(values).all() for values in found.values())
    if name in ("round_trip", "variation"):  # these hold for every network, trained or not
        assert promise.keeps(found)


def test_measures() -> None:
    other = PHOTO[::-1].copy()
    expected = np.linalg.norm(rgb2lab(PHOTO) - rgb2lab(other), axis=2).mean()
    assert mean_pairwise(np.stack((PHOTO, PHOTO, other))) == pytest.approx(2 / 3 * expected, rel=1e-3)
    gray, darker = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 49, np.uint8)
    assert rmse(gray[None], darker) == pytest.approx(20)
    assert psnr(gray, darker) == pytest.approx(20 * math.log10(5))
    assert psnr(gray, gray) == MAX_PSNR

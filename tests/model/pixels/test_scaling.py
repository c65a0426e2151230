"""Saturation and warmth of finished colorings, at constant lightness."""

import numpy as np
import pytest

from model.options import Look
from model.pixels.bilateral import point_upsampler
from model.pixels.color import rgb_to_lab
from model.pixels.scaling import WARM, Scaler, adjust
from model.protocol import Drawn

LOOKS = [Look(saturation=0.0), Look(saturation=0.4), Look(saturation=1.7, warmth=-0.6), Look(warmth=1.0)]
PHOTO = np.tile(np.linspace(40, 215, 48).astype(np.uint8), (40, 1))
CHROMA = np.random.default_rng(0).normal(0, 12, (2, 2, 8, 8)).astype(np.float32)
DRAWN = Drawn(CHROMA, (0, 1), (1.0, 1.0), (1.0, 1.0), 1.0, {}, CHROMA, (1.0, 1.0), ((), ()))


def lab(look: Look) -> np.ndarray:
    images = np.stack([each.image for each in Scaler(8).finish(PHOTO, DRAWN, look)])
    return rgb_to_lab(np.moveaxis(images, -1, 1) / 255)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_look_is_the_same_on_small_and_full_size_chroma(look: Look) -> None:
    points = [(y, x) for y in (0, 7, 20, 39) for x in (0, 11, 30, 47)]
    upsampled = point_upsampler(np.linspace(20, 80, 40 * 48).reshape(40, 48), (8, 8), points)
    full = upsampled(CHROMA.astype(np.float64)) * look.saturation + WARM * look.warmth
    adjusted = adjust(CHROMA, look).astype(np.float64)
    np.testing.assert_allclose(upsampled(adjusted), full, rtol=0, atol=1e-4)  # float32 at the start


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_lightness_stays(look: Look) -> None:
    gray = rgb_to_lab(np.broadcast_to(PHOTO / 255, (1, 3, *PHOTO.shape)))[:, 0]
    assert np.abs(lab(look)[:, 0] - gray).max() < 0.6  # one 8-bit level


def test_warm_is_yellower_and_cool_bluer() -> None:
    cool, plain, warm = (lab(Look(warmth=each))[:, 2].mean() for each in (-1.0, 0.0, 1.0))
    assert cool < plain - 8
    assert plain + 8 < warm

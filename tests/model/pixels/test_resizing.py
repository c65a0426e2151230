"""Resizing to the network's sizes: averages, smoothing and contrast."""

import cv2
import numpy as np
import pytest

from model.pixels.color import rgb_to_lab
from model.pixels.resizing import SHARPEST, photo_to_chroma, resize_chroma, resize_lightness


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (256, 256), (300, 200), (100, 1000), (1000, 100), (513, 257)])
def test_a_constant_stays_constant(shape: tuple[int, int]) -> None:
    resized = resize_lightness(np.full(shape, 42.0, np.float32))
    assert resized.shape == (256, 256)
    np.testing.assert_allclose(resized, 42.0, rtol=1e-5)


def test_shrinking_averages_over_area() -> None:
    lightness = np.random.default_rng(0).uniform(0, 100, (4 * SHARPEST, 2 * SHARPEST)).astype(np.float32)
    lightness[:64], lightness[-64:] = 0, 100  # so that nothing is left to stretch
    averaged = lightness.reshape(SHARPEST, 4, SHARPEST, 2).mean((1, 3))
    expected = cv2.resize(averaged, (256, 256), interpolation=cv2.INTER_CUBIC).clip(0, 100)
    np.testing.assert_allclose(resize_lightness(lightness), expected, atol=1e-3)


def test_what_is_too_sharp_for_the_network_is_smoothed() -> None:
    stripes = np.tile(np.array([0, 100], np.float32), (1024, 512))
    stripes[:128], stripes[-128:] = 0, 100  # so that nothing is left to stretch
    np.testing.assert_allclose(resize_lightness(stripes)[48:-48], 50, atol=17)
    same = np.random.default_rng(0).uniform(0, 100, (SHARPEST, SHARPEST)).astype(np.float32)
    assert resize_lightness(same).std() > 0.8 * same.std()


@pytest.mark.parametrize(
    ("black", "white", "darkest", "lightest"),
    [(38, 73, 17, 81), (2, 97, 2, 97), (2, 40, 2, 81), (62, 99, 17, 99), (50, 56, 38, 68), (0, 4, 0, 20)],
)
def test_a_faded_photo_has_its_contrast_back(black: float, white: float, darkest: float, lightest: float) -> None:
    """Contrast grows at most fivefold, around the middle where there is room."""
    ramp = np.tile(np.linspace(black, white, 256, dtype=np.float32), (256, 1))
    resized = resize_lightness(ramp)
    assert [resized.min(), resized.max()] == pytest.approx([darkest, lightest], abs=2)
    assert (np.diff(resized, axis=1) >= 0).all()


def test_chroma_is_averaged_over_area() -> None:
    chroma = np.random.default_rng(0).normal(0, 20, (128, 256, 2)).astype(np.float32)
    expected = chroma.reshape(64, 2, 64, 4, 2).mean((1, 3))
    np.testing.assert_allclose(resize_chroma(chroma, 64), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(150, 224), (64, 64), (700, 900), (20, 30), (1, 1)])
def test_chroma_of_a_photo_is_that_of_all_its_pixels(shape: tuple[int, int]) -> None:
    """Processing in strips of rows, as for photos above 262,144 pixels, does not change the result."""
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    lab = rgb_to_lab(photo.transpose(2, 0, 1)[None] / np.float32(255))[0, 1:]
    expected = resize_chroma(np.ascontiguousarray(lab.transpose(1, 2, 0)), 64)
    np.testing.assert_allclose(photo_to_chroma(photo, 64), expected, atol=1e-3)


def test_a_gray_photo_has_no_chroma() -> None:
    assert not photo_to_chroma(np.full((30, 20), 7, np.uint16), 64).any()

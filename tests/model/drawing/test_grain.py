"""Grain of color follows the photo's texture."""

import numpy as np
import pytest

from model.drawing.grain import grain_deviations
from model.errors import InputError

EXPONENTS, SIZES = (3.0, 0.1, 0.2), (16, 32, 64)
DIMS = (384, 1536, 6144)
SMOOTH = np.linspace(20, 80, 256, dtype=np.float32) + np.zeros((256, 1), np.float32)
TEXTURE = 50 + 15 * np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)


def test_a_smooth_photo_is_as_cold_as_16_and_texture_has_the_levels_own_grain() -> None:
    for photo, exponents in ((SMOOTH, (3.0, 3.0, 3.0)), (TEXTURE, EXPONENTS)):
        found = grain_deviations(photo, 0.7, EXPONENTS, SIZES)
        assert [each.shape for each in found] == [(dim,) for dim in DIMS]
        for deviations, exponent in zip(found, exponents, strict=True):
            np.testing.assert_allclose(deviations, 0.7**exponent, rtol=1e-6)


def test_every_band_of_a_place_has_the_same_grain_and_others_their_own() -> None:
    left = np.where(np.arange(256) < 128, SMOOTH, TEXTURE)
    for deviations, exponent, size in zip(grain_deviations(left, 0.7, EXPONENTS, SIZES), EXPONENTS, SIZES, strict=True):
        places = deviations.reshape(6, size // 2, size // 2)
        assert (places == places[0]).all()
        edge = size // 4
        np.testing.assert_allclose(places[0, :, : edge - 2], 0.7**3, rtol=1e-6)
        np.testing.assert_allclose(places[0, :, edge + 1 :], 0.7**exponent, rtol=1e-6)
        assert (np.diff(places[0], axis=1) >= 0).all()


@pytest.mark.parametrize(("rms", "share"), [(0.7, 0), (1.775, 0.25), (2.85, 0.5), (3.925, 0.75), (5, 1), (9, 1)])
def test_between_smooth_and_textured_the_exponent_goes_evenly(rms: float, share: float) -> None:
    """Stripes of one pixel keep all their strength beside their blurred selves."""
    stripes = np.float32(50) + rms * np.where(np.arange(256) % 2, 1, -1).astype(np.float32) * np.ones(
        (256, 1), np.float32
    )
    for deviations, exponent in zip(grain_deviations(stripes, 0.5, EXPONENTS, SIZES), EXPONENTS, strict=True):
        np.testing.assert_allclose(deviations, 0.5 ** (share * exponent + (1 - share) * 3), rtol=1e-3)


def test_wide_waves_are_shape_and_narrow_ones_texture() -> None:
    for period, exponent in ((64, 3), (8, 0.2)):
        waves = 50 + 15 * np.sin(2 * np.pi * np.arange(256, dtype=np.float32) / period) * np.ones((256, 1), np.float32)
        inside = grain_deviations(waves, 0.5, EXPONENTS, SIZES)[2].reshape(6, 32, 32)[:, :, 2:-2]
        np.testing.assert_allclose(inside, 0.5**exponent, rtol=0.15)


def test_a_level_that_is_colder_than_16_stays_so() -> None:
    for photo in (SMOOTH, TEXTURE):
        found = grain_deviations(photo, 0.5, (1.0, 2.0, 3.0), SIZES)
        for deviations, exponent in zip(found, (1, 2, 3), strict=True):
            np.testing.assert_allclose(deviations, 0.5**exponent, rtol=1e-6)


@pytest.mark.parametrize(("temperature", "deviation"), [(0.0, 0), (1.0, 1), (1.3, 1.3), (2.0, 2)])
def test_texture_does_not_count_at_0_nor_from_1_on(temperature: float, deviation: float) -> None:
    for photo in (SMOOTH, TEXTURE):
        for found in grain_deviations(photo, temperature, EXPONENTS, SIZES):
            np.testing.assert_array_equal(found, np.float32(deviation))


@pytest.mark.parametrize("temperature", [-0.1, 2.1, float("nan")])
def test_a_temperature_out_of_range(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature"):
        grain_deviations(SMOOTH, temperature, EXPONENTS, SIZES)

"""Color conversions, compared with scikit-image and known colors."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2lab

from model.errors import InputError
from model.pixels.color import lab_to_rgb, lightness_to_gray, photo_to_lightness, rgb_to_lab

KNOWN = {  # 8-bit sRGB and its CIELAB by Bruce Lindbloom's calculator
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 255, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 255): (32.2970, 79.1875, -107.8602),
    (119, 119, 119): (50.0344, 0.0, 0.0),
}


def rows(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    return colors.T[None, :, None]


@pytest.mark.parametrize(("rgb", "lab"), KNOWN.items())
def test_known_colors(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    encoded, expected = rows(np.array([rgb]) / 255), rows(np.array([lab]))
    # the table has four decimals, the matrix seven
    np.testing.assert_allclose(rgb_to_lab(encoded), expected, atol=5e-4, rtol=0)
    np.testing.assert_allclose(lab_to_rgb(expected), encoded, atol=1e-5, rtol=0)


def test_agrees_with_scikit_image() -> None:
    rgb = np.random.default_rng(0).uniform(0, 1, (10_000, 3))
    # scikit-image's matrix has six decimals, and its rows miss the white point by up to 8·10⁻⁵: 0.02 in b*
    lab = rgb2lab(rgb)
    np.testing.assert_allclose(rgb_to_lab(rows(rgb)), rows(lab), atol=0.025, rtol=0)
    np.testing.assert_allclose(lab_to_rgb(rows(lab)), rows(lab2rgb(lab)), atol=5e-4, rtol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_grays_have_no_chroma(dtype: type[np.floating]) -> None:
    gray = np.broadcast_to(np.linspace(0, 1, 65536, dtype=dtype), (1, 3, 65536))
    lab = rgb_to_lab(gray)
    assert lab.dtype == dtype
    assert np.abs(lab[:, 1:]).max() < 1e-4


def test_round_trip() -> None:
    """Colors inside and far outside sRGB come back."""
    lab = rows(np.random.default_rng(2).uniform((0, -120, -120), (100, 120, 120), (10_000, 3)))
    np.testing.assert_allclose(rgb_to_lab(lab_to_rgb(lab)), lab, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_gray_comes_back_from_its_lightness(dtype: type[np.uint8] | type[np.uint16]) -> None:
    white = np.iinfo(dtype).max
    photo = np.arange(white + 1, dtype=dtype)[None]
    lightness = photo_to_lightness(photo)
    assert lightness.dtype == np.float32
    assert (lightness[0, 0], lightness[0, -1]) == (0, 100)
    assert (np.diff(lightness) > 0).all()
    np.testing.assert_array_equal(np.rint(lightness_to_gray(lightness) * white), photo)


def test_lightness_of_colors_is_that_of_lab() -> None:
    photo = np.random.default_rng(3).integers(0, 256, (700, 501, 3), np.uint8)  # more than one tile
    expected = rgb_to_lab(rows(photo.reshape(-1, 3) / 255))[0, 0, 0].reshape(700, 501)
    np.testing.assert_allclose(photo_to_lightness(photo), expected, atol=1e-4)
    np.testing.assert_array_equal(photo_to_lightness(photo[:, ::-1]), photo_to_lightness(photo)[:, ::-1])


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
    ],
    ids=lambda photo: f"{photo.shape} {photo.dtype}",
)
def test_other_photos_are_refused(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="photo: expected"):
        photo_to_lightness(photo)

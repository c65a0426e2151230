"""Laws of gamut mapping."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.pixels.color import Floats, lab_to_linear, lab_to_rgb, rgb_to_lab
from model.pixels.gamut import TOLERANCE, map_to_gamut

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def extreme_colors(dtype: type[np.floating]) -> Floats:
    """Return colors of any lightness, including black and white, with faint to extreme chroma."""
    generator = np.random.default_rng(0)
    lightness = generator.uniform(0, 100, 20_000)
    lightness[:1000], lightness[1000:2000] = 0, 100
    chroma = generator.standard_normal((2, 20_000)) * 10 ** generator.uniform(-1, 3, 20_000)
    return np.concatenate((lightness[None], chroma))[None].astype(dtype)


def is_inside(lab: Floats, slack: float) -> NDArray[np.bool_]:
    linear = lab_to_linear(lab)
    return (linear.min(1) >= -slack) & (linear.max(1) <= 1 + slack)


def size(lab: Floats) -> Floats:
    return np.linalg.norm(lab[:, 1:], axis=1)


@DTYPES
def test_every_color_is_brought_into_srgb(dtype: type[np.floating]) -> None:
    lab = extreme_colors(dtype)
    before = lab.copy()
    mapped = map_to_gamut(lab)
    assert mapped.dtype == dtype
    assert not is_inside(lab, TOLERANCE).all()
    assert is_inside(mapped, 1.1 * TOLERANCE).all()
    np.testing.assert_array_equal(lab, before)


@DTYPES
def test_lightness_and_hue_are_kept(dtype: type[np.floating]) -> None:
    lab = extreme_colors(dtype)
    mapped = map_to_gamut(lab)
    np.testing.assert_array_equal(mapped[:, 0], lab[:, 0])
    cross = mapped[:, 1] * lab[:, 2] - mapped[:, 2] * lab[:, 1]
    # parallel within rounding …
    assert (np.abs(cross) <= 4 * np.finfo(dtype).eps * size(mapped) * size(lab)).all()
    assert ((mapped[:, 1:] * lab[:, 1:]).sum(1) >= 0).all()  # … and not reversed
    assert (size(mapped) <= size(lab)).all()


def test_chroma_shrinks_no_more_than_it_must() -> None:
    lab = extreme_colors(np.float64)
    lab = lab[:, :, ~is_inside(lab, TOLERANCE)[0]]
    factor = size(map_to_gamut(lab)) / size(lab)
    a_bit_more = np.concatenate((lab[:, :1], lab[:, 1:] * (factor + 2e-5)), 1)
    assert not is_inside(a_bit_more, TOLERANCE).any()


@DTYPES
def test_colors_of_srgb_are_unchanged(dtype: type[np.floating]) -> None:
    level = np.arange(0, 256, 15).astype(dtype) / dtype(255)
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij")).reshape(1, 3, 1, -1)
    lab = rgb_to_lab(rgb)
    np.testing.assert_array_equal(map_to_gamut(lab), lab)
    np.testing.assert_allclose(lab_to_rgb(map_to_gamut(lab)), rgb, atol=2e-5, rtol=0)

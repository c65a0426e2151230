"""Joint bilateral upsampling, compiled and in numpy, compared with a slow reference."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import InputError
from model.pixels.bilateral import (
    FLOOR,
    SHARPENING_SCALE,
    SIGMA_LIGHTNESS,
    SIGMA_SPACE,
    TAPS,
    area_average,
    point_upsampler,
    upsample_to_rgb_plainly,
)
from model.pixels.color import lab_to_linear, lab_to_rgb, lightness_to_gray, photo_to_lightness
from model.pixels.gamut import map_to_gamut
from model.pixels.upsampling import upsample_to_rgb

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Upsample = Callable[[Floats, Floats], NDArray[np.uint8]]


PATHS = pytest.mark.parametrize("upsample", [upsample_to_rgb, upsample_to_rgb_plainly], ids=["compiled", "plain"])
SHAPES = [(1, 1), (1, 37), (45, 3), (16, 12), (23, 31), (60, 90), (3, 700)]


def photo(shape: tuple[int, int]) -> Floats:
    """Return lightness from black to white, with soft shapes and hard edges."""
    soft = cv2.resize(np.random.default_rng(0).uniform(-20, 120, (6, 6)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    hard = np.where(np.add.outer(np.arange(shape[0]), np.arange(shape[1])) // 7 % 2, 25, 0)
    return np.asarray(np.reshape(soft + hard, shape).clip(0, 100), np.float32)


def maps(samples: int, size: tuple[int, int], sigma: float) -> Floats:
    return np.random.default_rng(0).normal(0, sigma, (samples, 2, *size)).astype(np.float32)


def reference_average(image: Doubles, shape: tuple[int, int]) -> Doubles:
    for axis, small in enumerate(shape):
        parts = np.moveaxis(np.repeat(image, small, axis), axis, 0).reshape(small, image.shape[axis], -1).mean(1)
        image = np.moveaxis(parts.reshape(small, *np.delete(image.shape, axis)), 0, axis)
    return image


def reference_upsample(chroma: Doubles, guide: Doubles, lightness: Doubles) -> Doubles:
    """Upsample (C, h, w) pixel by pixel, by the formula."""
    result = np.empty((len(chroma), *lightness.shape))
    small, reach = np.array(guide.shape), np.arange(TAPS) - TAPS // 2
    for at in np.ndindex(*lightness.shape):
        center = (np.array(at) + 0.5) * small / lightness.shape - 0.5
        y, x = np.floor(center + 0.5)[:, None] + reach
        patch = np.ix_(*(np.clip(tap, 0, n - 1).astype(int) for tap, n in zip((y, x), small, strict=True)))
        far = np.add.outer((y - center[0]) ** 2, (x - center[1]) ** 2)
        unlike = lightness[at] - guide[patch]
        weight = np.exp(-far / (2 * SIGMA_SPACE**2)) * (np.exp(-(unlike**2) / (2 * SIGMA_LIGHTNESS**2)) + FLOOR)
        result[:, *at] = (chroma[:, *patch] * weight).sum((1, 2)) / weight.sum()
    return result


def reference(chroma: Floats, lightness: Floats) -> NDArray[np.uint8]:
    """Upsample in float64 by other methods: areas by repetition, sharpening by its definition, long bisection."""
    small = chroma.shape[2:]
    wished, light = chroma.reshape(-1, *small).astype(np.float64), lightness.astype(np.float64)
    guide = reference_average(light, small)
    middle = reference_average(light, (SHARPENING_SCALE * small[0], SHARPENING_SCALE * small[1]))
    back = reference_upsample(wished, guide, middle)
    sharp = wished + wished - np.stack([reference_average(channel, small) for channel in back])
    full = reference_upsample(sharp, guide, light).reshape(len(chroma), 2, *lightness.shape)
    lower, upper = np.zeros((len(chroma), 1, *lightness.shape)), np.array(1.0)
    light_of_all = np.broadcast_to(light, lower.shape)
    factor = np.ones_like(lower)
    for _ in range(40):
        linear = lab_to_linear(np.concatenate((light_of_all, full * factor), 1))
        inside = ((linear >= -1e-9) & (linear <= 1 + 1e-9)).all(1, keepdims=True)
        lower, upper = np.where(inside, factor, lower), np.where(inside, upper, factor)
        factor = (lower + upper) / 2
    rgb = lab_to_rgb(np.concatenate((light_of_all, full * lower), 1)).clip(0, 1)
    return np.rint(255 * np.moveaxis(rgb, 1, -1)).astype(np.uint8)


@pytest.mark.parametrize("sigma", [8, 80])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_both_equal_the_reference_within_a_level(shape: tuple[int, int], sigma: float) -> None:
    chroma, lightness = maps(3, (16, 12), sigma), photo(shape)
    expected = reference(chroma, lightness)
    for upsample in (upsample_to_rgb, upsample_to_rgb_plainly):
        difference = upsample(chroma, lightness).astype(int) - expected
        assert np.abs(difference).max() <= 1
        assert np.abs(difference).mean() < 0.05  # rounding alone stays below this


@PATHS
@pytest.mark.parametrize("sigma", [0, 10, 60, 1000])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_of_the_output_is_the_input(upsample: Upsample, sigma: float, dtype: type[np.uint8 | np.uint16]) -> None:
    white = np.iinfo(dtype).max
    gray = np.random.default_rng(0).permutation(np.linspace(0, white, 80 * 128).astype(dtype)).reshape(80, 128)
    levels = gray / (white / 255)
    for sample in upsample(maps(4, (64, 64), sigma), photo_to_lightness(gray)):
        back = lightness_to_gray(photo_to_lightness(sample)) * 255
        # rounding red, green and blue moves their gray by at most half a level, the kernel's table by a fifth
        assert np.abs(back - levels).max() < 0.7
        if sigma == 0:
            np.testing.assert_allclose(sample, np.stack([levels] * 3, -1), rtol=0, atol=0.7)  # of 8 bits, the same


def test_smooth_areas_stay_smooth() -> None:
    slope = np.broadcast_to(np.linspace(-50, 50, 64), (1, 2, 64, 64))
    points = [(32, x) for x in range(128, 2048 - 128)]
    row = point_upsampler(np.full((64, 2048), 50.0), (64, 64), points)(slope)[0, :, 0]
    steps = np.diff(row) / (100 / 63 / 32)  # in units of the slope's own; a block would have steps of 0 and of 32
    assert (steps > 0.4).all()
    assert (steps < 1.6).all()


def test_colors_do_not_bleed_over_edges() -> None:
    height, width, edge = 200, 1000, 523  # the edge falls inside a small pixel
    lightness = np.full((height, width), 30, np.float32)
    lightness[:, edge:] = 70
    truth = np.full((1, 2, height, width), 40, np.float32)
    truth[..., edge:] = -40
    small = np.stack([area_average(channel, (64, 64)) for channel in truth[0]])[None]
    bilinear = cv2.resize(small[0, 0], (width, height), interpolation=cv2.INTER_LINEAR)
    row = point_upsampler(lightness, (64, 64), [(100, x) for x in range(width)])(small)  # all rows are equal
    error = np.abs(row - truth[:, :, 100].transpose(0, 2, 1))
    assert error.max() < 8
    assert np.abs(bilinear - truth[0, 0]).max() > 35


def test_a_pixel_unlike_all_around_it_gets_their_color() -> None:
    lightness = np.full((640, 640), 1, np.float32)
    lightness[300:303, 333] = 100
    chroma = maps(1, (64, 64), 20)
    points = [(y, 333) for y in range(300, 303)]
    upsampled = point_upsampler(lightness, (64, 64), points)(chroma)
    flat = point_upsampler(np.full_like(lightness, 1.0), (64, 64), points)(chroma)
    # the bright pixels lighten their small pixel by 3 L*, which gives it some weight
    np.testing.assert_allclose(upsampled, flat, atol=1.0, rtol=0)


def test_averages_back_to_the_small_maps_better_than_a_plain_mean_would() -> None:
    lightness = np.full((512, 512), 50, np.float32)
    chroma = cv2.resize(maps(1, (20, 20), 20)[0, 0], (64, 64), interpolation=cv2.INTER_CUBIC)
    y, x = np.divmod(np.random.default_rng(1).choice(64 * 64, 40, replace=False), 64)
    points = [(8 * y[i] + dy, 8 * x[i] + dx) for i in range(40) for dy in range(8) for dx in range(8)]
    upsampled = point_upsampler(lightness, (64, 64), points)(chroma[None, None])[0, :, 0]
    blurred = cv2.GaussianBlur(chroma, (5, 5), SIGMA_SPACE)
    missed = np.square(upsampled.reshape(40, 64).mean(1) - chroma[y, x]).mean()
    assert missed < np.square(blurred - chroma)[y, x].mean() / 3


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("shape", [*SHAPES, (130, 257), (8, 12), (5, 300), (2100, 2000)], ids=str)
def test_area_average_is_exact(shape: tuple[int, int], dtype: type[np.floating], tolerance: float) -> None:
    image = np.random.default_rng(0).uniform(0, 100, shape).astype(dtype)
    result = area_average(image, (8, 12))
    np.testing.assert_allclose(result, reference_average(image, (8, 12)), rtol=tolerance)


def test_arguments_may_be_read_only_or_views_and_are_unchanged() -> None:
    chroma, lightness = maps(2, (64, 64), 20), photo((50, 80))
    expected = upsample_to_rgb(chroma, lightness)
    copies = chroma.copy(), np.asfortranarray(lightness)
    for array in copies:
        array.flags.writeable = False
    out = np.empty((2, 50, 80, 3), np.uint8)
    assert upsample_to_rgb(*copies, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(copies[1], lightness)


def test_threads_may_call_at_once() -> None:
    chroma, lightness = maps(2, (64, 64), 20), photo((600, 400))
    expected = upsample_to_rgb(chroma, lightness)
    with ThreadPoolExecutor(4) as pool:
        for rgb in pool.map(lambda _: upsample_to_rgb(chroma, lightness), range(8)):
            np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chroma", np.zeros((2, 64, 64), np.float32)),
        ("chroma", np.zeros((0, 2, 64, 64), np.float32)),
        ("chroma", np.zeros((1, 2, 64, 64), np.float64)),
        ("chroma", np.full((1, 2, 64, 64), np.nan, np.float32)),
        ("lightness", np.zeros((0, 4), np.float32)),
        ("lightness", np.zeros((4, 4), np.uint8)),
        ("lightness", np.full((4, 4), np.inf, np.float32)),
        ("out", np.zeros((4, 4, 3), np.uint8)),
    ],
)
def test_other_arguments_are_refused(name: str, other: NDArray[np.generic]) -> None:
    fitting = {"chroma": np.zeros((1, 2, 64, 64), np.float32), "lightness": np.zeros((4, 4), np.float32)}
    with pytest.raises(InputError, match=f"{name}.*: expected"):
        upsample_to_rgb(**fitting | {name: other})


@pytest.mark.parametrize("shape", [(1, 1), (45, 3), (60, 90), (300, 270)])
def test_points_are_those_of_the_whole(shape: tuple[int, int]) -> None:
    chroma, lightness = maps(2, (16, 16), 1), photo(shape)
    points = [(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)]
    whole = upsample_to_rgb_plainly(chroma, lightness)
    shown = [np.full((2, 1, 1, 1), lightness[point], np.float32) for point in points]
    found = point_upsampler(lightness, (16, 16), points)(chroma).transpose(1, 0, 2)[..., None, None]
    for (y, x), light, color in zip(points, shown, found, strict=True):
        rgb = lab_to_rgb(map_to_gamut(np.concatenate((light, color), 1))).clip(0, 1)
        assert np.abs(255 * rgb[:, :, 0, 0] - whole[:, y, x]).max() < 0.51  # the rounding of bytes

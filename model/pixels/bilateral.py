"""Joint bilateral upsampling of small a*b* maps to a photo's full size, guided by its lightness.

Each full-size pixel gets the weighted mean of the nearest TAPS × TAPS small pixels. A weight is a Gaussian of the
distance times a Gaussian of the difference in lightness, so that colors follow the photo's edges. Weights depend on
the lightness alone: they are computed once for all N maps. A mean dulls colors. To make up for it, the small maps are
sharpened first, by as much as the result would lose when it is averaged back to the small size.
This module defines it in plain numpy; `model.pixels.upsampling` is the same, compiled.
Source: Kopf et al. 2007, Joint Bilateral Upsampling; Irani and Peleg 1991 for the sharpening (back-projection).
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.pixels.color import Floats, lab_to_rgb
from model.pixels.gamut import map_to_gamut

__all__ = ["area_average", "point_upsampler", "upsample_to_rgb_plainly"]

TAPS = 5
SIGMA_SPACE = 0.6
"""Standard deviation of the spatial Gaussian, in small pixels."""
SIGMA_LIGHTNESS = 8.0
"""Standard deviation of the lightness Gaussian, in units of L*."""
FLOOR = 1e-2
"""Minimum weight for a different lightness: if all taps differ, only the spatial weights count."""
SHARPENING_SCALE = 2
"""Scale at which sharpening is computed, as a multiple of the small size."""
TILE = 256
"""Side, in pixels, of the tiles in which photos are processed."""
OPENCV_PIXELS = 4_000_000
"""Maximum pixels that OpenCV shrinks, at 3 ms per megapixel; the loop takes 10 ms, and 0.5 ms per megapixel."""


def upsample_to_rgb_plainly(chroma: Floats, lightness: Floats) -> NDArray[np.uint8]:
    """Do the work of `upsample_to_rgb` by its definition, in the arrays' precision.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W), L* in [0, 100]. Returns (N, H, W, 3) sRGB.
    """
    height, width = lightness.shape
    rgb = np.empty((len(chroma), height, width, 3), np.uint8)
    guide, sharpen = _sharpener(lightness, chroma.shape[2:])
    sharp = sharpen(chroma)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            tile = slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))
            taps = _taps(tile[0], height, guide.shape[0]), _taps(tile[1], width, guide.shape[1])
            upsampled = _weighted_mean(sharp, _weights(lightness[tile], guide, taps), taps)
            shown = np.broadcast_to(lightness[tile], (len(chroma), 1, *upsampled.shape[2:]))
            encoded = lab_to_rgb(map_to_gamut(np.concatenate((shown, upsampled), 1))).clip(0, 1)
            rgb[:, *tile] = np.moveaxis(np.rint(encoded * 255).astype(np.uint8), 1, -1)
    return rgb


def point_upsampler(
    lightness: Floats, small: Sequence[int], points: Sequence[tuple[int, int]]
) -> Callable[[Floats], Floats]:
    """Return a function that upsamples (N, C, h, w) maps, whose (h, w) is `small`, to K pixels alone: (N, K, C).

    lightness: (H, W), L* in [0, 100]. points: row and column of each pixel.
    """
    guide, sharpen = _sharpener(lightness, small)
    weighted = []
    for y, x in points:
        pixel = slice(y, y + 1), slice(x, x + 1)
        taps = _taps(pixel[0], lightness.shape[0], small[0]), _taps(pixel[1], lightness.shape[1], small[1])
        weighted.append((_weights(lightness[pixel], guide, taps), taps))

    def upsample(chroma: Floats) -> Floats:
        sharp = sharpen(chroma)
        return np.stack([_weighted_mean(sharp, *each)[:, :, 0, 0] for each in weighted], 1)

    return upsample


def _sharpener(lightness: Floats, small: Sequence[int]) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return the small (h, w) lightness, and a function that adds to chroma what upsampling and averaging take."""
    middle = area_average(lightness, (SHARPENING_SCALE * small[0], SHARPENING_SCALE * small[1]))
    guide = _average_squares(middle)
    to_middle = [_taps(slice(0, SHARPENING_SCALE * size), SHARPENING_SCALE * size, size) for size in small]
    weights = _average_squares(_weights(middle, guide, to_middle))
    taps = [_taps(slice(0, size), size, size) for size in small]
    return guide, lambda chroma: 2 * chroma - _weighted_mean(chroma, weights, taps)


def _average_squares(fine: Floats) -> Floats:
    """Average (…, H, W) over squares of SHARPENING_SCALE pixels a side."""
    *rest, height, width = fine.shape
    squares = height // SHARPENING_SCALE, SHARPENING_SCALE, width // SHARPENING_SCALE, SHARPENING_SCALE
    return np.asarray(fine.reshape(*rest, *squares).mean((-3, -1)))


Taps = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Along an axis: (size, TAPS) indices of the nearest small pixels, repeated at the border, and their distances."""


def _taps(part: slice, size: int, small: int) -> Taps:
    center = (np.arange(part.start, part.stop) + 0.5) * small / size - 0.5
    index = np.floor(center + 0.5)[:, None] + np.arange(TAPS) - TAPS // 2
    return index.astype(np.int64).clip(0, small - 1), index - center[:, None]


def _weights(lightness: Floats, guide: Floats, taps: Sequence[Taps]) -> Floats:
    """Return the weight of each tap, (TAPS², H, W), of sum 1."""
    (tap_y, far_y), (tap_x, far_x) = ((tap, far.astype(guide.dtype)) for tap, far in taps)
    far = far_y.T[:, None, :, None] ** 2 + far_x.T[None, :, None, :] ** 2
    unlike = lightness - guide[tap_y.T[:, None, :, None], tap_x.T[None, :, None, :]]
    weights = np.exp(-far / (2 * SIGMA_SPACE**2)) * (np.exp(-(unlike**2) / (2 * SIGMA_LIGHTNESS**2)) + FLOOR)
    return np.asarray((weights / weights.sum((0, 1))).reshape(TAPS**2, *unlike.shape[2:]))


def _weighted_mean(chroma: Floats, weights: Floats, taps: Sequence[Taps]) -> Floats:
    (tap_y, _), (tap_x, _) = taps
    mean = np.zeros((*chroma.shape[:2], *weights.shape[-2:]), chroma.dtype)
    for t, weight in enumerate(weights):
        mean += weight * chroma[:, :, tap_y[:, t // TAPS, None], tap_x[None, :, t % TAPS]]
    return mean


def area_average(image: Floats, shape: tuple[int, int]) -> Floats:
    """Resize (H, W) so that each pixel of the result is the mean over its area, even if that is below one pixel.

    OpenCV does so only if both sides shrink, and is faster only for photos of a few megapixels.
    """
    shrinks = image.shape[0] >= shape[0] and image.shape[1] >= shape[1]
    if shrinks and image.size <= OPENCV_PIXELS and image.dtype == np.float32:
        return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)).reshape(shape)
    if image.shape[1] > 16 * image.shape[0]:  # else the intermediate image could be huge
        return _average_rows(_average_rows(image.T, shape[1]).T, shape[0])
    return _average_rows(_average_rows(image, shape[0]).T, shape[1]).T


def _average_rows(image: Floats, small: int) -> Floats:
    size = image.shape[0]
    if size <= small:  # a pixel covers at most two rows
        starts = size * np.arange(small)
        firsts = starts // small
        share = np.minimum((firsts + 1) * small - starts, size).astype(image.dtype)[:, None] / size
        first, second = image[firsts], image[np.minimum(firsts + 1, size - 1)]
        with np.errstate(invalid="ignore"):  # NaN and infinity stay, and callers check for them
            return np.asarray(first + (1 - share) * (second - first))
    result = np.empty((small, image.shape[1]), image.dtype)
    for i in range(small):
        start, stop = i * size, (i + 1) * size  # in units of 1/small of a pixel
        first, last = start // small, -(-stop // small)
        rows = image[first:last]
        missing = rows[0] * (start - first * small) + rows[-1] * (last * small - stop)
        result[i] = (rows.sum(0) * small - missing) / size
    return result

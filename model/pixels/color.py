"""Color conversions: sRGB to CIELAB and back (D65, 2° observer), and photos to lightness."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.protocol import Photo

__all__ = ["lab_to_rgb", "lightness_to_gray", "linear_table", "linear_to_lab", "photo_to_lightness", "rgb_to_lab"]

# IEC 61966-2-1, linear sRGB to XYZ; its rows sum to the white point, so that grays have a* = b* = 0
SRGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
XYZ_TO_SRGB: tuple[tuple[float, ...], ...] = tuple(map(tuple, np.linalg.inv(np.array(SRGB_TO_XYZ)).tolist()))
WHITE_D65 = (0.95047, 1.0, 1.08883)
EPSILON = 216 / 24389
KAPPA = 24389 / 27
DELTA = 6 / 29
"""∛EPSILON: above it f⁻¹ is a cube, below it a line"""
TILE_PIXELS = 1 << 18
"""Pixels of a photo converted to lightness at a time."""

Floats = NDArray[Any]
"""Colors in float32 or float64; results have the same precision."""


def rgb_to_lab(rgb: Floats) -> Floats:
    """Convert sRGB to CIELAB (D65, 2° observer).

    rgb: (B, 3, …) in [0, 1]. Returns (B, 3, …) in the same precision: L* in [0, 100], a*b* unclipped.
    Source: CIE 15:2004, IEC 61966-2-1.
    """
    encoded = np.maximum(rgb, 0.04045)
    linear = np.where(rgb > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    return linear_to_lab(linear)


def linear_to_lab(linear: Floats) -> Floats:
    """Convert linear sRGB to CIELAB; see `rgb_to_lab`."""
    to_ratio = np.array(SRGB_TO_XYZ) / np.array(WHITE_D65)[:, None]
    ratio = _by_channel(to_ratio, linear)
    f = np.where(ratio > EPSILON, np.cbrt(ratio), (KAPPA * ratio + 16) / 116)
    x, y, z = f[:, 0], f[:, 1], f[:, 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def lab_to_linear(lab: Floats) -> Floats:
    """Convert CIELAB (D65, 2° observer) to linear sRGB.

    lab: (B, 3, …). Returns (B, 3, …), unclipped: a color outside of sRGB has channels below 0 or above 1.
    """
    y = (lab[:, 0] + 16) / 116
    f = np.stack((y + lab[:, 1] / 500, y, y - lab[:, 2] / 200), 1)
    ratio = np.where(f > DELTA, f**3, (116 * f - 16) / KAPPA)
    return _by_channel(np.array(XYZ_TO_SRGB) * WHITE_D65, ratio)


def lab_to_rgb(lab: Floats) -> Floats:
    """Convert CIELAB (D65, 2° observer) to sRGB: the inverse of `rgb_to_lab`.

    lab: (B, 3, …). Returns (B, 3, …), unclipped: a color outside of sRGB has channels below 0 or above 1.
    Source: CIE 15:2004, IEC 61966-2-1.
    """
    linear = lab_to_linear(lab)
    threshold = 0.04045 / 12.92
    bright = 1.055 * np.maximum(linear, threshold) ** (1 / 2.4) - 0.055
    return np.where(linear > threshold, bright, 12.92 * linear)


def lightness_to_gray(lightness: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sRGB-encoded gray in [0, 1] of each L* in [0, 100], of any shape."""
    lab = np.zeros((1, 3, lightness.size))
    lab[0, 0] = lightness.ravel()
    return np.asarray(lab_to_rgb(lab)[0, 1].reshape(lightness.shape), np.float64)


def photo_to_lightness(photo: Photo) -> NDArray[np.float32]:
    """Return the (H, W) L* in [0, 100] of a photo; its own colors are ignored.

    Gray uses a lookup table, color its luminance. Works in tiles of TILE_PIXELS.
    Raises InputError unless photo is (H, W) uint8 or uint16, or (H, W, 3) uint8, and not empty.
    """
    is_gray = photo.ndim == 2 and photo.dtype in (np.uint8, np.uint16)
    is_color = photo.ndim == 3 and photo.shape[2] == 3 and photo.dtype == np.uint8
    if not (is_gray or is_color) or photo.size == 0:
        expected = "(H, W) uint8 or uint16, or (H, W, 3) uint8, not empty"
        raise InputError("photo", expected, f"{photo.shape} {photo.dtype}")
    lightness = np.empty(photo.shape[:2], np.float32)
    pixels, flat = photo.reshape(lightness.size, -1), lightness.reshape(-1)
    for start in range(0, flat.size, TILE_PIXELS):
        tile = slice(start, start + TILE_PIXELS)
        if is_color:
            flat[tile] = _lightness_of_color(pixels[tile])
        else:
            np.take(_gray_table(photo.dtype.itemsize), pixels[tile, 0], out=flat[tile], mode="clip")
    return lightness


def _lightness_of_color(pixels: Photo) -> NDArray[np.float32]:
    y = np.zeros(len(pixels), np.float32)
    for channel, weight in enumerate(SRGB_TO_XYZ[1]):
        y += np.take(np.float32(weight) * linear_table(), pixels[:, channel], mode="clip")
    y.clip(0, 1, out=y)
    return np.where(y > EPSILON, 116 * np.cbrt(y) - 16, KAPPA * y)


def _by_channel(matrix: NDArray[np.float64], colors: Floats) -> Floats:
    """Multiply the channels of (B, 3, …) by a matrix."""
    return np.einsum("ij,bj...->bi...", matrix.astype(colors.dtype), colors)


@cache
def linear_table() -> NDArray[np.float32]:
    """Return linear sRGB of each 8-bit level."""
    level = np.arange(256) / 255
    return np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92).astype(np.float32)


@cache
def _gray_table(bytes_per_pixel: int) -> NDArray[np.float32]:
    """Return L* of each 8- or 16-bit level of gray."""
    gray = np.linspace(0, 1, 256**bytes_per_pixel)
    lab = rgb_to_lab(np.broadcast_to(gray, (1, 3, gray.size)))
    return lab[0, 0].clip(0, 100).astype(np.float32)

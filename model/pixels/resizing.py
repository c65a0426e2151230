"""Resizing of photos to the network's sizes, the same in training and in use."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.flow.sizes import LIGHTNESS_SIZE
from model.pixels.color import TILE_PIXELS, linear_table, linear_to_lab
from model.protocol import Photo

__all__ = ["SHARPEST", "photo_to_chroma", "resize_chroma", "resize_lightness", "squeeze_lightness", "stretch_contrast"]

Lightness = NDArray[np.float32]

MAX_SIDE = 2048
"""Longest side, in pixels, of photos whose own colors are averaged in CIELAB; longer ones are first shrunk in sRGB."""
SHARPEST = 192
"""Longest side of lightness that reaches the network, in pixels: the mean of the training photos, which are 150 to 224.

Given sharper lightness, h's features move away from those that the flow was trained on, and colors fit worse.
"""
DARKEST, LIGHTEST = 17.0, 81.0
"""L* to which the darkest and lightest parts of a photo are stretched for the network; nine of ten photos reach them.

The network would take a faded photo for fog, and an underexposed one for night.
"""
OUTLIERS = 0.5
"""Percentage of pixels that are darker than a photo's darkest parts, and lighter than its lightest."""
MAX_GAIN = 5.0
"""Maximum factor of contrast, since an empty photo holds only noise."""


def resize_lightness(lightness: Lightness) -> Lightness:
    """Squeeze (H, W) L* to a square, as sharp and as rich in contrast as the photos that the network was trained on.

    Returns (256, 256) in [0, 100].
    """
    return stretch_contrast(squeeze_lightness(lightness))


def squeeze_lightness(lightness: Lightness) -> Lightness:
    """Squeeze (H, W) L* to a square, as sharp as the photos that the network was trained on.

    A side longer than SHARPEST is first averaged over area to SHARPEST; then sides shorter than the square are enlarged
    bicubically. Returns (256, 256), which may slightly exceed [0, 100] at edges.
    """
    shape = tuple(min(side, SHARPEST) for side in lightness.shape)
    averaged = cv2.resize(lightness, shape[::-1], interpolation=cv2.INTER_AREA).reshape(shape)
    return np.asarray(cv2.resize(averaged, (LIGHTNESS_SIZE, LIGHTNESS_SIZE), interpolation=cv2.INTER_CUBIC), np.float32)


def resize_chroma(chroma: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average (H, W, 2) a*b* over area to (size, size, 2)."""
    return np.asarray(cv2.resize(chroma, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def photo_to_chroma(photo: Photo, size: int) -> NDArray[np.float32]:
    """Return the (size, size, 2) a*b* of a photo, averaged over area; 0 for a gray photo.

    Works in strips of rows, so that a large photo is never held in floats.
    """
    if photo.ndim == 2:
        return np.zeros((size, size, 2), np.float32)
    if max(photo.shape[:2]) > MAX_SIDE:  # so that any shape needs only a few megabytes of floats
        shape = tuple(min(side, MAX_SIDE) for side in photo.shape[:2])
        small = cv2.resize(photo, shape[::-1], interpolation=cv2.INTER_AREA)
        photo = np.asarray(small, np.uint8).reshape(*shape, 3)
    height, width = photo.shape[:2]
    rows = max(1, TILE_PIXELS // width)
    narrow = np.empty((height, size, 2), np.float32)
    for top in range(0, height, rows):
        strip = linear_table()[photo[top : top + rows].transpose(2, 0, 1)]
        chroma = np.ascontiguousarray(linear_to_lab(strip[None])[0, 1:].transpose(1, 2, 0))
        narrow[top : top + rows] = cv2.resize(chroma, (size, len(chroma)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(narrow, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def stretch_contrast(lightness: Lightness) -> Lightness:
    """Stretch the darkest parts down to DARKEST and the lightest up to LIGHTEST, if they do not reach these.

    Returns (256, 256) in [0, 100].
    """
    dark, light = np.percentile(lightness[::2, ::2], (OUTLIERS, 100 - OUTLIERS)).tolist()
    low, high = min(dark, DARKEST), max(light, LIGHTEST)
    gain = min((high - low) / max(light - dark, 1e-3), MAX_GAIN)
    half, middle = gain * (light - dark) / 2, (dark + light) / 2
    stretched = np.clip(middle, low + half, high - half) + gain * (lightness - middle)
    return np.asarray(stretched, np.float32).clip(0, 100)

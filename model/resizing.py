"""Photos brought to the network's sizes, the same way in training and in use."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.cinn import LIGHTNESS_SIZE

__all__ = ["resize_chroma", "resize_lightness"]


def resize_lightness(lightness: NDArray[np.float32], size: int = LIGHTNESS_SIZE) -> NDArray[np.float32]:
    """Squeeze (H, W) L* to a square: averaged over area where it shrinks, bicubic where it grows.

    Returns (size, size) in [0, 100].
    """
    height = lightness.shape[0]
    # One side at a time, for a panorama can shrink along one and grow along the other.
    for shape in ((height, size), (size, size)):
        shrinks = shape[0] * shape[1] < lightness.size
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        lightness = np.asarray(cv2.resize(lightness, shape[::-1], interpolation=interpolation), np.float32)
    return lightness.clip(0, 100)


def resize_chroma(chroma: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average (H, W, 2) a*b* over area to (size, size, 2)."""
    return np.asarray(cv2.resize(chroma, (size, size), interpolation=cv2.INTER_AREA), np.float32)

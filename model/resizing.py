"""Photos brought to the network's sizes, the same way in training and in use."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.cinn import LIGHTNESS_SIZE

__all__ = ["SHARPEST", "resize_chroma", "resize_lightness"]

SHARPEST = 192
"""Longest side of lightness that reaches the network, in pixels: the mean of the training photos, which are 150 to 224.

Given sharper lightness, h's features move away from those that the flow was trained on, and colours fit worse.
"""


def resize_lightness(lightness: NDArray[np.float32], size: int = LIGHTNESS_SIZE) -> NDArray[np.float32]:
    """Squeeze (H, W) L* to a square, as sharp as the photos that the network was trained on.

    A side longer than SHARPEST is averaged over area to that first; what is shorter than size then grows bicubically.
    Returns (size, size) in [0, 100].
    """
    sharpest = min(SHARPEST, size)
    shape = tuple(min(side, sharpest) for side in lightness.shape)
    lightness = cv2.resize(lightness, shape[::-1], interpolation=cv2.INTER_AREA).reshape(shape)
    lightness = cv2.resize(lightness, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(lightness, np.float32).clip(0, 100)


def resize_chroma(chroma: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average (H, W, 2) a*b* over area to (size, size, 2)."""
    return np.asarray(cv2.resize(chroma, (size, size), interpolation=cv2.INTER_AREA), np.float32)

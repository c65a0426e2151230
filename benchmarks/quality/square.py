"""Photos squeezed to the square at which they are measured."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["square"]

SIZE = 256


def square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squeeze (H, W, 3) sRGB to (256, 256, 3)."""
    interpolation = cv2.INTER_AREA if min(photo.shape[:2]) > SIZE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo, (SIZE, SIZE), interpolation=interpolation), np.uint8)

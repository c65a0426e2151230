"""Synthetic photos (smooth areas, hard edges and grain), as arrays and files, for benchmarks of speed."""

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["as_file", "bilinear", "made_up_lightness"]

Floats = NDArray[np.float32]


def made_up_lightness(shape: tuple[int, int]) -> Floats:
    """Return (H, W) L* with smooth areas, hard edges and noise."""
    generator = np.random.default_rng(1)
    soft = cv2.resize(generator.uniform(10, 90, (9, 12)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    hard = cv2.resize(
        generator.uniform(-15, 15, (30, 40)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    grain = np.resize(generator.standard_normal(1_000_003, np.float32), shape)
    return np.clip(soft + hard + grain, 0, 100, dtype=np.float32)


def bilinear(image: Floats, shape: tuple[int, ...]) -> Floats:
    """Resize (h, w) to (H, W)."""
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def as_file(pixels: NDArray[np.uint8], file_format: str, **options: Any) -> bytes:
    """Encode (H, W) gray or (H, W, 3) sRGB with Pillow and its options."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()

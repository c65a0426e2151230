"""Wear: random effects of age, cheap cameras and scanners on a photo's lightness."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["wear"]

Lightness = NDArray[np.float32]
Pixels = NDArray[Any]
"""(H, W), floats of any precision"""

UNWORN = 0.2
"""Share of the photos that stay unchanged."""
OFTEN, SELDOM = 0.5, 0.25
"""Probability of each kind of wear."""


def wear(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    """Return a worn copy of (H, W) L*: blurred, darker in the corners, of other contrast, stained, grainy or scratched.

    Each kind of wear occurs at random; sometimes none does. Sizes are for photos of about 200 pixels per side.
    """
    if rng.random() < UNWORN:
        return lightness
    worn: Pixels = lightness / 100
    if rng.random() < OFTEN:
        worn = cv2.GaussianBlur(worn, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < SELDOM:
        worn = worn * _vignette(worn.shape, rng)
    if rng.random() < OFTEN:
        worn = worn.clip(0, 1) ** np.exp(rng.uniform(-0.6, 0.6))
    if rng.random() < OFTEN:
        black, white = rng.uniform(0, 0.5), rng.uniform(0.5, 1)
        worn = black + (white - black) * worn
    if rng.random() < SELDOM:
        worn = worn + rng.normal(0, 0.06) * _clouds(worn.shape, rng)
    if rng.random() < OFTEN:
        worn = worn + _grain(worn.shape, rng) * max(float(worn.max() - worn.min()), 0.1)
    if rng.random() < SELDOM:
        worn = _scratch(worn, rng)
    worn = 100 * worn.clip(0, 1)
    if rng.random() < SELDOM:
        worn = _compress(worn, int(rng.integers(15, 70)))
    return np.asarray(worn, np.float32)


def _vignette(shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    return np.asarray(1 - rng.uniform(0.1, 0.6) * (y[:, None] ** 2 + x[None] ** 2) / 2)


def _clouds(shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    """Return smooth noise of unit variance, a few blots wide."""
    small = rng.standard_normal((int(rng.integers(2, 6)),) * 2).astype(np.float32)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    grain: Pixels = rng.standard_normal(shape).astype(np.float32)
    size = rng.uniform(0, 1)
    if size > 0.3:  # else each pixel has its own grain
        grain = cv2.GaussianBlur(grain, (0, 0), size)
    return np.asarray(grain / grain.std() * rng.uniform(0.07, 0.32) ** 2)


def _scratch(lightness: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw dust and a few scratches, all lighter or all darker than the photo."""
    height, width = lightness.shape
    marks = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(0, 5)):
        middle, half = rng.uniform(0, (width, height)), rng.normal(0, (width / 20, height / 2))
        start, end = ((middle + sign * half).round().astype(int).tolist() for sign in (-1, 1))
        cv2.line(marks, start, end, rng.uniform(0.2, 1), 1, cv2.LINE_AA)
    for _ in range(rng.integers(0, 30)):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(marks, center, int(rng.integers(0, 3)), rng.uniform(0.2, 1), -1, cv2.LINE_AA)
    return lightness + marks * (float(rng.random() < 0.7) - lightness)


def _compress(lightness: Pixels, quality: int) -> Pixels:
    levels = (lightness * 2.55).round().astype(np.uint8)
    data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)) / 2.55

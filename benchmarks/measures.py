"""Measures of colorings against the true photo; arrays are sRGB in [0, 1]."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_of_pixel", "colourfulness", "rmse", "variance"]

Image = NDArray[np.float32]
"""(H, W, 3)"""
Samples = NDArray[np.float32]
"""(N, H, W, 3)"""


def rmse(samples: Samples, truth: Image) -> NDArray[np.float64]:
    """Root mean square error of each sample: (N,)."""
    return np.sqrt(np.square(samples - truth).mean((1, 2, 3), dtype=np.float64))


def best_of_pixel(samples: Samples, truth: Image) -> float:
    """Root mean square error where every channel of every pixel takes whichever sample is nearest to the truth there.

    Source: Ardizzone et al. 2019 (arXiv 1907.02392), table 3, as its authors' code computes it
    (vislearn/conditional_INNs, colorization_cINN/compare_methods.py).
    """
    return float(np.sqrt(np.square(samples - truth).min(0).mean(dtype=np.float64)))


def variance(samples: Samples) -> float:
    """Variance over the samples, averaged over pixels and channels."""
    return float(samples.var(0, dtype=np.float64).mean())


def colourfulness(image: Image) -> float:
    """Colourfulness of a photo; about 0 for grey, 33 for moderately and 82 for highly colourful ones.

    Source: Hasler and Süsstrunk 2003, Measuring Colourfulness in Natural Images, metric M³.
    """
    red, green, blue = (255 * image[..., i].astype(np.float64) for i in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))

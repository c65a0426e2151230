"""Measures of colorings against the true photo; arrays are sRGB in [0, 1]."""

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["best_of_pixel", "colorfulness", "pairwise_difference", "rmse", "smooth_gradient", "variance"]

SMALL = 64
"""Side at which gradients are taken; finer ones show the noise of 8 bits and of compression."""
SMOOTH = 3.0
"""Largest gradient of L*, per pixel at SMALL, that counts as smooth."""

Image = NDArray[np.float32]
"""(H, W, 3)"""
Samples = NDArray[np.float32]
"""(N, H, W, 3)"""


def rmse(samples: Samples, truth: Image) -> NDArray[np.float64]:
    """Return the root mean square error of each sample, (N,)."""
    return np.sqrt(np.square(samples - truth).mean((1, 2, 3), dtype=np.float64))


def best_of_pixel(samples: Samples, truth: Image) -> float:
    """Return the root mean square error if every channel of every pixel is taken from the sample nearest to the truth.

    Source: Ardizzone et al. 2019 (arXiv 1907.02392), table 3, as its authors' code computes it
    (vislearn/conditional_INNs, colorization_cINN/compare_methods.py).
    """
    return float(np.sqrt(np.square(samples - truth).min(0).mean(dtype=np.float64)))


def variance(samples: Samples) -> float:
    """Return the variance over the samples, averaged over pixels and channels."""
    return float(samples.var(0, dtype=np.float64).mean())


def colorfulness(image: Image) -> float:
    """Return the colorfulness of a photo: about 0 for gray, 33 for moderately and 82 for highly colorful ones.

    Source: Hasler and Süsstrunk 2003, Measuring Colourfulness in Natural Images, metric M³.
    """
    red, green, blue = (255 * image[..., i].astype(np.float64) for i in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def smooth_gradient(image: Image) -> float:
    """Return the mean |∇a*b*| where |∇L*| is small, in ΔE per pixel at 64×64; 0 for an image without smooth places.

    Divided by that of the true photo, it is the blotch index: above 1, colors change where the photo does not.
    """
    lab = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    right, down = lab[:-1, 1:] - lab[:-1, :-1], lab[1:, :-1] - lab[:-1, :-1]
    squares = np.square(right) + np.square(down)
    smooth = squares[..., 0] < SMOOTH**2
    return float(np.sqrt(squares[..., 1:].sum(2)[smooth]).mean()) if smooth.any() else 0.0


def pairwise_difference(chroma: NDArray[np.float32]) -> float:
    """Return the mean ΔE76 over all pairs of samples and all pixels. With equal lightness, this is a distance of a*b*.

    chroma: (N, 2, H, W) a*b*.
    """
    pairs = itertools.combinations(chroma, 2)
    return float(np.mean([np.sqrt(np.square(a - b).sum(0)).mean() for a, b in pairs]))

"""Recognition: whether the condition network still sees in a coloring what it sees in the gray photo."""

import numpy as np
from numpy.typing import NDArray

from model.drawing.passes import Passes
from model.drawing.runtimes.runtime import Floats
from model.pixels.upsampling import upsample_to_rgb

__all__ = ["recognize"]


def recognize(passes: Passes, lightness: Floats, coarsest: Floats) -> NDArray[np.float64]:
    """Compare h's last features of each coloring with those of the gray photo: (N,), 1 where they are the same.

    What colors make h see something else there, such as legs that are gray or a patch on a dog, people find wrong, too.

    lightness: (256, 256), L* in [0, 100]. coarsest: (N, 2, 8, 8) a*b*. Returns the cosine of the angle between
    the features, averaged over places. Source: Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as
    a Perceptual Metric (arXiv 1801.03924).
    """
    gray = np.zeros((1, *coarsest.shape[1:]), np.float32)
    pictures = upsample_to_rgb(np.concatenate((gray, coarsest)), lightness)
    return passes.compare(pictures)

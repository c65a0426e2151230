"""Timings of OpenCV's guided filters, on one channel of one megapixel; needs its contrib modules."""

import json
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np

from benchmarks.cost import cost
from benchmarks.photos import bilinear, made_up_lightness

DIAMETER = 33
"""Diameter of the joint bilateral filter in pixels; 5 small pixels of a megapixel photo are 78."""
SMALL = 64
SIDE = 1000


def main() -> None:
    """Print the cost of each filter as JSON."""
    guide = made_up_lightness((SIDE, SIDE))
    image = bilinear(np.random.default_rng(0).normal(0, 20, (SMALL, SMALL)).astype(np.float32), guide.shape)
    contrib: Any = cv2.ximgproc  # type: ignore[attr-defined] # of opencv-contrib alone
    joint = cost(contrib.jointBilateralFilter, guide, image, DIAMETER, 8.0, DIAMETER / 4)
    guided = cost(contrib.guidedFilter, guide, image, 2 * SIDE // SMALL, 64.0)
    print(json.dumps({"jointBilateralFilter": asdict(joint), "guidedFilter": asdict(guided)}))


if __name__ == "__main__":
    main()

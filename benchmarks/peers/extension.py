"""Upsampling in C++, built by torch when it is asked for; needs a C++ compiler and ninja."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.cpp_extension import load

from model.device import THREADS
from model.pixels import upsampling_kernel
from model.pixels.bilateral import FLOOR, SIGMA_LIGHTNESS, SIGMA_SPACE, TAPS, sharpen
from model.pixels.gamut import STEPS
from model.pixels.upsampling import BAND_PIXELS, upsample_to_rgb

__all__ = ["by_bilateral_grid", "by_extension"]

BINS = 26
"""Bins of the bilateral grid over L*: two for each standard deviation of the lightness Gaussian."""

Floats = NDArray[np.float32]


def by_extension(chroma: Floats, lightness: Floats, out: NDArray[np.uint8]) -> None:
    """Do what `upsample_to_rgb` does, with the rows filled in C++."""
    built = _built()

    def fill_rows(first: int, last: int, *arguments: Any) -> None:
        arrays = [torch.from_numpy(each) if isinstance(each, np.ndarray) else float(each) for each in arguments]
        built.joint_bilateral(first, last, *arrays)

    with patch.object(upsampling_kernel, "fill_rows", fill_rows):
        upsample_to_rgb(chroma, lightness, out)


def by_bilateral_grid(chroma: Floats, lightness: Floats, out: NDArray[np.uint8]) -> None:
    """Look the same Gaussians' means of the same sharpened maps up in a bilateral grid; see `upsample_to_rgb`."""
    built, per_bin = _built(), (BINS - 1) / 100
    small = chroma.shape[2:]
    photo = torch.from_numpy(lightness)
    guide, sharp = sharpen(chroma, lightness)
    unlike = (guide[..., None] - np.arange(BINS) / per_bin) / SIGMA_LIGHTNESS
    alike = np.exp(-0.5 * unlike**2) + FLOOR
    opponents = (sharp * np.array([1 / 500, -1 / 200], np.float32)[:, None, None]).reshape(-1, *small)
    layers = np.concatenate((opponents, np.ones((1, *small), np.float32)))
    # OpenCV takes at most four channels with a Gaussian, so each bin of each layer goes alone
    grid = np.empty((*small, BINS, len(layers)), np.float32)
    for i, layer in enumerate(layers):
        for j in range(BINS):
            grid[:, :, j, i] = cv2.GaussianBlur(
                (layer * alike[..., j]).astype(np.float32), (5, 5), SIGMA_SPACE, borderType=cv2.BORDER_REPLICATE
            )
    cells, picture = torch.from_numpy(grid), torch.from_numpy(out)
    height, width = lightness.shape
    band = max(1, BAND_PIXELS // width)

    def fill(top: int) -> None:
        built.bilateral_grid(top, min(top + band, height), photo, cells, per_bin, picture)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, range(0, height, band)))


@cache
def _built() -> Any:
    source = Path(__file__).with_name("upsampling.cpp")
    flags = ["-O3", "-march=native", "-ffast-math", "-std=c++20"]
    built: Any = load("tintflow_upsampling", [str(source)], extra_cflags=flags)  # type: ignore[no-untyped-call]
    kernel = upsampling_kernel
    numbers = kernel.LOW, kernel.HIGH, kernel.CUBE_FROM, kernel.LINE_SLOPE, kernel.LINE_OFFSET
    matrix = [kernel.RX, kernel.RY, kernel.RZ, kernel.GX, kernel.GY, kernel.GZ, kernel.BX, kernel.BY, kernel.BZ]
    table = torch.from_numpy(kernel.ENCODED)
    built.configure(TAPS, STEPS, *map(float, numbers), [float(each) for each in matrix], table)
    return built

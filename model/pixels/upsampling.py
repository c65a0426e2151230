"""Joint bilateral upsampling on the CPU, compiled: small a*b* maps become full-size sRGB. See bilateral."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from model.device import THREADS
from model.errors import InputError
from model.pixels.bilateral import FLOOR, SHARPENING_SCALE, SIGMA_LIGHTNESS, SIGMA_SPACE, area_average

__all__ = ["upsample_to_rgb"]

BAND_PIXELS = 1 << 17
"""Pixels that a thread processes at a time."""
MAX_THREADS = 16


def upsample_to_rgb(
    chroma: NDArray[np.float32], lightness: NDArray[np.float32], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Upsample N small a*b* maps, map them to the gamut, and join them with the photo's own lightness.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W), L* in [0, 100]. Returns (N, H, W, 3) sRGB, in `out` if it is given.
    Runs on as many threads as the process may use, MAX_THREADS at most; besides its output it needs a few megabytes.
    The first call loads the compiled kernel, or compiles it (seconds). May be called from several threads at once.
    Raises InputError if a shape or type is another, a size is 0, or a value is not finite.
    """
    from model.pixels.upsampling_kernel import average_squares, fill_rows  # late: it imports numba, and may compile

    samples = _check(chroma, lightness)
    height, width = lightness.shape
    shape = (samples, height, width, 3)
    if out is None:
        out = np.empty(shape, np.uint8)
    elif out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous or not out.flags.writeable:
        raise InputError("out", f"contiguous, writable {shape} uint8", f"{out.shape} {out.dtype}")
    lightness = np.ascontiguousarray(lightness)
    rows, columns = chroma.shape[2:]
    middle = area_average(lightness, (SHARPENING_SCALE * rows, SHARPENING_SCALE * columns))
    middle = np.ascontiguousarray(middle)
    guide = middle.reshape(rows, SHARPENING_SCALE, columns, SHARPENING_SCALE).mean((1, 3), np.float32)
    scaled = chroma * np.array([1 / 500, -1 / 200], np.float32)[:, None, None]
    opponents = np.ascontiguousarray(scaled.transpose(2, 3, 0, 1)).reshape(rows, columns, 2 * samples)
    if not (np.isfinite(guide).all() and np.isfinite(opponents).all()):
        raise InputError("chroma, lightness", "finite values", "NaN or infinity")
    numbers = np.float32(1 / SIGMA_SPACE), np.float32(1 / SIGMA_LIGHTNESS), np.float32(FLOOR)
    back = np.empty((rows, SHARPENING_SCALE, columns, SHARPENING_SCALE, 2 * samples), np.float32)
    average_squares(middle, guide, opponents, *numbers, back)
    sharp = 2 * opponents - back.mean((1, 3))
    band = max(1, BAND_PIXELS // width)
    threads = min(THREADS, MAX_THREADS, -(-height // band))

    tops = iter(range(0, height, band))

    def fill_bands() -> None:
        for top in tops:
            fill_rows(top, min(top + band, height), lightness, guide, sharp, *numbers, out)

    with ThreadPoolExecutor(threads, thread_name_prefix="upsampling") as pool:
        others = [pool.submit(fill_bands) for _ in range(threads - 1)]
        fill_bands()  # the caller's thread works, too: a lane watches its processor time
        for other in others:
            other.result()
    return out


def _check(chroma: NDArray[np.float32], lightness: NDArray[np.float32]) -> int:
    if chroma.ndim != 4 or chroma.shape[1] != 2 or chroma.size == 0 or chroma.dtype != np.float32:
        raise InputError("chroma", "(N, 2, h, w) float32, not empty", f"{chroma.shape} {chroma.dtype}")
    if lightness.ndim != 2 or lightness.size == 0 or lightness.dtype != np.float32:
        raise InputError("lightness", "(H, W) float32, not empty", f"{lightness.shape} {lightness.dtype}")
    return len(chroma)

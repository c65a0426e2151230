"""Joint bilateral upsampling: small a*b* maps are brought to a photo's full size, guided by its lightness.

Each full-size pixel gets the weighted mean of the nearest TAPS × TAPS small pixels. A weight is a Gaussian of the
distance times a Gaussian of the difference in lightness, so that colours follow the photo's edges. Weights depend on
the lightness alone: they are computed once for all N maps.
Source: Kopf et al. 2007, Joint Bilateral Upsampling.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.color import lab_to_rgb
from model.errors import InputError
from model.gamut import map_to_gamut

__all__ = ["upsample_chroma", "upsample_to_rgb", "upsample_to_rgb_tensor"]

TAPS = 5
SIGMA_SPACE = 0.8
"""Standard deviation of the spatial Gaussian, in small pixels."""
SIGMA_LIGHTNESS = 6.0
"""Standard deviation of the lightness Gaussian, in units of L*."""
FLOOR = 1e-3
"""Weight of an unlike lightness: where no tap is alike, the spatial weights alone decide."""
TILE_PIXELS = 1 << 16
"""Full-size pixels that are worked on at a time."""


def upsample_to_rgb(
    chroma: NDArray[np.float32], lightness: NDArray[np.float32], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Upsample N small a*b* maps, map them to the gamut, and join them with the photo's own lightness.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W), L* in [0, 100]. Returns (N, H, W, 3) sRGB, in `out` if it is given.
    Runs in row tiles; beside the output it needs a few megabytes.
    Raises InputError if a shape or type is another, a size is 0, or a value is not finite.
    """
    samples = _check(chroma, lightness)
    shape = (samples, *lightness.shape, 3)
    if out is None:
        out = np.empty(shape, np.uint8)
    elif out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise InputError("out", f"contiguous {shape} uint8", f"{out.shape} {out.dtype}")
    rgb = upsample_to_rgb_tensor(torch.from_numpy(chroma), torch.from_numpy(lightness))
    out[:] = rgb.numpy()
    return out


def _check(chroma: NDArray[np.float32], lightness: NDArray[np.float32]) -> int:
    if chroma.ndim != 4 or chroma.shape[1] != 2 or chroma.size == 0 or chroma.dtype != np.float32:
        raise InputError("chroma", "(N, 2, h, w) float32, not empty", f"{chroma.shape} {chroma.dtype}")
    if lightness.ndim != 2 or lightness.size == 0 or lightness.dtype != np.float32:
        raise InputError("lightness", "(H, W) float32, not empty", f"{lightness.shape} {lightness.dtype}")
    return len(chroma)


def upsample_to_rgb_tensor(chroma: Tensor, lightness: Tensor) -> Tensor:
    """Do what `upsample_to_rgb` does, in plain torch, on the tensors' device.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W), L* in [0, 100]. Returns (N, H, W, 3) sRGB, uint8.
    """
    rgb = torch.empty(len(chroma), *lightness.shape, 3, dtype=torch.uint8, device=chroma.device)
    for rows, tile in _upsampled_tiles(chroma, lightness):
        lab = torch.cat((lightness[rows].expand(len(tile), 1, -1, -1), tile), 1)
        encoded = lab_to_rgb(map_to_gamut(lab)).clamp(0, 1)
        rgb[:, rows] = (encoded * 255).round().to(torch.uint8).movedim(1, -1)
    return rgb


def upsample_chroma(chroma: Tensor, lightness: Tensor) -> Tensor:
    """Upsample N small a*b* maps to the size of a lightness.

    chroma: (N, C, h, w). lightness: (H, W), L* in [0, 100]. Returns (N, C, H, W), not mapped to the gamut.
    """
    upsampled = chroma.new_empty(*chroma.shape[:2], *lightness.shape)
    for rows, tile in _upsampled_tiles(chroma, lightness):
        upsampled[:, :, rows] = tile
    return upsampled


def _upsampled_tiles(chroma: Tensor, lightness: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield row slices of the photo, each with its upsampled (N, C, rows, W) chroma."""
    height, width = lightness.shape
    small = chroma.shape[-2:]
    small_lightness = (
        area_matrix(height, small[0]).to(lightness) @ lightness @ area_matrix(width, small[1]).to(lightness).T
    )
    (tap_y, weight_y), (tap_x, weight_x) = (
        (index.to(chroma.device), weight.to(chroma))
        for index, weight in (taps(height, small[0]), taps(width, small[1]))
    )
    step = max(1, TILE_PIXELS // (width * len(chroma)))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        total = torch.zeros_like(lightness[rows])
        tile = chroma.new_zeros(*chroma.shape[:2], *total.shape)
        for i in range(TAPS):
            for j in range(TAPS):
                at = tap_y[rows, i, None], tap_x[None, :, j]
                difference = (lightness[rows] - small_lightness[at]) / SIGMA_LIGHTNESS
                weight = torch.exp(-(difference**2) / 2) + FLOOR
                weight = weight * weight_y[rows, i, None] * weight_x[None, :, j]
                tile += weight * chroma[(..., *at)]
                total += weight
        yield rows, tile / total


def taps(size: int, small: int) -> tuple[Tensor, Tensor]:
    """Return the nearest small pixels of each full-size one along an axis, and their spatial weights.

    Returns (size, TAPS) indices, repeated at the border, and (size, TAPS) weights, float64, that sum to 1.
    """
    center = (torch.arange(size, dtype=torch.float64) + 0.5) * small / size - 0.5
    index = center.round()[:, None] + torch.arange(TAPS) - TAPS // 2
    weight = torch.exp(-(((index - center[:, None]) / SIGMA_SPACE) ** 2) / 2)
    return index.long().clamp(0, small - 1), weight / weight.sum(1, keepdim=True)


def area_matrix(size: int, small: int) -> Tensor:
    """Return the (small, size) matrix, float64, that averages an axis of `size` pixels over areas.

    Small pixel i is the mean over [i, i + 1) · size / small; its rows sum to 1, also where `size` is below `small`.
    """
    edge = torch.arange(small + 1, dtype=torch.float64)[:, None] * size / small
    pixel = torch.arange(size, dtype=torch.float64)
    covered = (torch.minimum(edge[1:], pixel + 1) - torch.maximum(edge[:-1], pixel)).clamp_min(0)
    return covered * small / size

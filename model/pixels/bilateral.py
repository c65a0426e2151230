"""Joint bilateral upsampling: small a*b* maps are brought to a photo's full size, guided by its lightness.

Each full-size pixel gets the weighted mean of the nearest TAPS × TAPS small pixels. A weight is a Gaussian of the
distance times a Gaussian of the difference in lightness, so that colors follow the photo's edges. Weights depend on
the lightness alone: they are computed once for all N maps. A mean dulls colors. To make up for it, the small maps are
sharpened first, by as much as the result would lose when it is averaged back to the small size.
This module defines it in plain torch, for any device; `model.pixels.upsampling` is the same, compiled for CPUs.
Source: Kopf et al. 2007, Joint Bilateral Upsampling; Irani and Peleg 1991 for the sharpening (back-projection).
"""

from collections.abc import Iterator, Sequence

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from model.pixels.color import lab_to_rgb
from model.pixels.gamut import map_to_gamut

__all__ = ["area_average", "sharpen", "upsample_chroma", "upsample_points", "upsample_to_rgb_tensor"]

TAPS = 5
SIGMA_SPACE = 0.6
"""Standard deviation of the spatial Gaussian, in small pixels."""
SIGMA_LIGHTNESS = 8.0
"""Standard deviation of the lightness Gaussian, in units of L*."""
FLOOR = 1e-2
"""Weight of an unlike lightness: where no tap is alike, the spatial weights alone decide."""
SHARPENING_SCALE = 2
"""Sharpening is judged at this many times the small size."""
TILE = 256
"""Side of the tiles, in pixels, that the torch path works on."""
OPENCV_PIXELS = 4_000_000
"""Largest photo that OpenCV shrinks: it takes 3 ms a megapixel, the loop 10 ms and half a millisecond a megapixel."""


def upsample_to_rgb_tensor(chroma: Tensor, lightness: Tensor) -> Tensor:
    """Do what `upsample_to_rgb` does, in plain torch, on the tensors' device and in their precision.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W), L* in [0, 100]. Returns (N, H, W, 3) sRGB, uint8.
    """
    rgb = torch.empty(len(chroma), *lightness.shape, 3, dtype=torch.uint8, device=chroma.device)
    for tile, upsampled in _upsampled_tiles(chroma, lightness):
        lab = torch.cat((lightness[tile].expand(len(chroma), 1, -1, -1), upsampled), 1)
        encoded = lab_to_rgb(map_to_gamut(lab)).clamp(0, 1)
        rgb[:, *tile] = (encoded * 255).round().to(torch.uint8).movedim(1, -1)
    return rgb


def upsample_chroma(chroma: Tensor, lightness: Tensor) -> Tensor:
    """Upsample N small a*b* maps to the size of a lightness.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W), L* in [0, 100]. Returns (N, 2, H, W), not mapped to the gamut.
    """
    result = chroma.new_empty(*chroma.shape[:2], *lightness.shape)
    for tile, upsampled in _upsampled_tiles(chroma, lightness):
        result[:, :, *tile] = upsampled
    return result


def upsample_points(chroma: Tensor, lightness: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
    """Upsample N small maps to some pixels alone, differentiably.

    chroma: (N, C, h, w). lightness: (H, W), L* in [0, 100]. points: row and column of K pixels. Returns (N, K, C).
    """
    guide, sharp = sharpen(chroma, lightness)
    means = []
    for y, x in points:
        pixel = slice(y, y + 1), slice(x, x + 1)
        taps = _taps(pixel[0], lightness.shape[0], guide.shape[0]), _taps(pixel[1], lightness.shape[1], guide.shape[1])
        means.append(_weighted_mean(sharp, _weights(lightness[pixel], guide, taps), taps)[:, :, 0, 0])
    return torch.stack(means, 1)


def _upsampled_tiles(chroma: Tensor, lightness: Tensor) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """Yield tiles of the photo, each with its upsampled (N, 2, rows, columns) chroma."""
    height, width = lightness.shape
    guide, sharp = sharpen(chroma, lightness)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            tile = slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))
            taps = _taps(tile[0], height, guide.shape[0]), _taps(tile[1], width, guide.shape[1])
            yield tile, _weighted_mean(sharp, _weights(lightness[tile], guide, taps), taps)


def sharpen(chroma: Tensor, lightness: Tensor) -> tuple[Tensor, Tensor]:
    """Return the small (h, w) lightness and (N, C, h, w) chroma sharpened: plus what averaging the upsampled takes."""
    small = chroma.shape[-2:]
    middle = area_average(lightness, (SHARPENING_SCALE * small[0], SHARPENING_SCALE * small[1]))
    guide = F.avg_pool2d(middle[None], SHARPENING_SCALE)[0]
    to_middle = [_taps(slice(0, SHARPENING_SCALE * size), SHARPENING_SCALE * size, size) for size in small]
    weights = F.avg_pool2d(_weights(middle, guide, to_middle), SHARPENING_SCALE)
    return guide, 2 * chroma - _weighted_mean(chroma, weights, [_taps(slice(0, size), size, size) for size in small])


Taps = tuple[Tensor, Tensor]
"""Along an axis: (size, TAPS) indices of the nearest small pixels, repeated at the border, and their distances."""


def _taps(part: slice, size: int, small: int) -> Taps:
    center = (torch.arange(part.start, part.stop, dtype=torch.float64) + 0.5) * small / size - 0.5
    index = (center + 0.5).floor()[:, None] + torch.arange(TAPS) - TAPS // 2
    return index.long().clamp(0, small - 1), index - center[:, None]


def _weights(lightness: Tensor, guide: Tensor, taps: Sequence[Taps]) -> Tensor:
    """Return the weight of each tap, (TAPS², H, W), of sum 1."""
    (tap_y, far_y), (tap_x, far_x) = ((tap.to(guide.device), far.to(guide)) for tap, far in taps)
    far = far_y.T[:, None, :, None] ** 2 + far_x.T[None, :, None, :] ** 2
    unlike = lightness - guide[tap_y.T[:, None, :, None], tap_x.T[None, :, None, :]]
    weights = torch.exp(-far / (2 * SIGMA_SPACE**2)) * (torch.exp(-(unlike**2) / (2 * SIGMA_LIGHTNESS**2)) + FLOOR)
    return (weights / weights.sum((0, 1))).flatten(0, 1)


def _weighted_mean(chroma: Tensor, weights: Tensor, taps: Sequence[Taps]) -> Tensor:
    (tap_y, _), (tap_x, _) = taps
    mean = chroma.new_zeros(*chroma.shape[:2], *weights.shape[-2:])
    for t, weight in enumerate(weights):
        mean += weight * chroma[:, :, tap_y[:, t // TAPS, None], tap_x[None, :, t % TAPS]]
    return mean


def area_average(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resize (H, W) so that each pixel of the result is the mean over the area it covers, be it below one pixel.

    OpenCV does so only where both sides shrink, and faster than this only for photos of few megapixels.
    """
    shrinks = image.shape[0] >= shape[0] and image.shape[1] >= shape[1]
    if shrinks and image.numel() <= OPENCV_PIXELS and image.device.type == "cpu" and image.dtype == torch.float32:
        return torch.from_numpy(cv2.resize(image.detach().numpy(), shape[::-1], interpolation=cv2.INTER_AREA))
    if image.shape[1] > 16 * image.shape[0]:  # else what lies between the two steps could be huge
        return _average_rows(_average_rows(image.T, shape[1]).T, shape[0])
    return _average_rows(_average_rows(image, shape[0]).T, shape[1]).T


def _average_rows(image: Tensor, small: int) -> Tensor:
    size = image.shape[0]
    if size <= small:  # no more than two rows are covered
        starts = size * torch.arange(small, device=image.device)
        firsts = starts // small
        share = ((firsts + 1) * small - starts).clamp_max(size).to(image)[:, None] / size
        return image[firsts].lerp(image[(firsts + 1).clamp_max(size - 1)], 1 - share)
    result = image.new_empty(small, image.shape[1])
    for i in range(small):
        start, stop = i * size, (i + 1) * size  # in units of 1/small of a pixel
        first, last = start // small, -(-stop // small)
        covered = image.new_full((last - first,), small)
        covered[0] -= start - first * small
        covered[-1] -= last * small - stop
        result[i] = covered / size @ image[first:last]
    return result

"""Hints: colors wished for at points of the photo.

The coarsest level is given the cells of the hints and draws the rest given them; see `AutoregressiveLevel.draw`. What
the finer levels miss at the very points is mended there, by a correction that follows the photo's lightness.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import InputError
from model.flow.cells import SIDE
from model.options import MAX_HINTS
from model.pixels.bilateral import upsample_points
from model.pixels.color import rgb_to_lab
from model.pixels.gamut import map_to_gamut
from model.protocol import Hint, HintMatch

__all__ = ["check_hints", "given_cells", "match_hints", "mend_hints"]

REACH = 4.0
"""Standard deviation, in pixels of 64×64, of how far a correction reaches."""
LIGHTNESS_REACH = 8.0
"""The same in units of L*: a correction stops at the photo's edges."""
RIDGE = 1e-3
"""Added to the corrections' matrix, so that two hints at one place average."""
ROUNDS = 2
"""Corrections one after another: upsampling sharpens, so that one does not quite suffice."""


def check_hints(hints: Sequence[Hint]) -> None:
    """Raise InputError for too many hints, or for one out of range."""
    if len(hints) > MAX_HINTS:
        raise InputError("hints", f"at most {MAX_HINTS}", len(hints))
    for hint in hints:
        if not (0 <= hint.x <= 1 and 0 <= hint.y <= 1 and all(0 <= value <= 255 for value in hint.color)):
            raise InputError("hints", "x and y from 0 to 1, color from 0 to 255", hint)


def given_cells(lightness: NDArray[np.float32], hints: Sequence[Hint]) -> Tensor:
    """Return the a*b* of the coarsest cells that hold hints, NaN elsewhere: (2, 8, 8); the mean where several do.

    lightness: (H, W) L* of the photo at any size. A color that sRGB lacks at its point's lightness is replaced by the
    nearest of the same hue.
    """
    wished = _wished_chroma(hints, torch.from_numpy(lightness))
    sums, counts = torch.zeros(2, SIDE, SIDE), torch.zeros(SIDE, SIDE)
    for hint, chroma in zip(hints, wished, strict=True):
        row, column = _pixel(hint, (SIDE, SIDE))
        sums[:, row, column] += chroma
        counts[row, column] += 1
    return sums / counts  # 0/0 is NaN: not given


def mend_hints(
    chroma: NDArray[np.float32], lightness: NDArray[np.float32], hints: Sequence[Hint]
) -> NDArray[np.float32]:
    """Return (N, 2, h, w) a*b* that have the wished colors at the hints' points, once they are upsampled.

    lightness: (H, W) L* of the photo at any size. The correction is interpolated between the hints by Gaussians of
    distance and of lightness.
    """
    guide = torch.from_numpy(lightness)
    points = [_pixel(hint, guide.shape) for hint in hints]
    wished = _wished_chroma(hints, guide)
    small = torch.nn.functional.interpolate(guide[None, None], chroma.shape[2:], mode="area")[0, 0]
    bumps = torch.stack([_bump(small, hint) for hint in hints])
    # by how much each bump moves the color at each point: (K, K)
    moves = upsample_points(bumps[:, None].expand(-1, 2, -1, -1).contiguous(), guide, points)[..., 0].T
    inverse = torch.linalg.solve(moves + RIDGE * torch.eye(len(hints)), torch.eye(len(hints)))
    mended = torch.from_numpy(chroma).clone()
    for _ in range(ROUNDS):
        missed = wished - upsample_points(mended, guide, points)
        mended += torch.einsum("nkc,jk,jhw->nchw", missed, inverse, bumps)
    return mended.numpy()


def match_hints(images: NDArray[np.uint8], hints: Sequence[Hint]) -> tuple[tuple[HintMatch, ...], ...]:
    """Say how well each of (N, H, W, 3) sRGB images follows each hint."""
    points = [_pixel(hint, images.shape[1:3]) for hint in hints]
    wished = _lab([hint.color for hint in hints])
    matches = []
    for image in images:
        colors = [tuple(image[point].tolist()) for point in points]
        difference = _lab(colors) - wished
        total, chroma = difference.norm(dim=0).tolist(), difference[1:].norm(dim=0).tolist()
        matches.append(tuple(HintMatch(*each) for each in zip(colors, total, chroma, strict=True)))
    return tuple(matches)


def _bump(lightness: Tensor, hint: Hint) -> Tensor:
    """Return how much of a hint's correction each pixel of (h, w) L* takes: 1 at the hint's own."""
    row, column = _pixel(hint, lightness.shape)
    y, x = (torch.arange(side) for side in lightness.shape)
    square = (y[:, None] - row) ** 2 + (x[None] - column) ** 2
    difference = lightness - lightness[row, column]
    return torch.exp(-square / (2 * REACH**2) - difference.square() / (2 * LIGHTNESS_REACH**2))


def _pixel(hint: Hint, shape: Sequence[int]) -> tuple[int, int]:
    return min(int(hint.y * shape[0]), shape[0] - 1), min(int(hint.x * shape[1]), shape[1] - 1)


def _lab(colors: Sequence[tuple[int, int, int]]) -> Tensor:
    """Return (3, K) CIELAB of K sRGB colors."""
    return rgb_to_lab(torch.tensor(colors, dtype=torch.float32).T[None, :, None] / 255)[0, :, 0]


def _wished_chroma(hints: Sequence[Hint], lightness: Tensor) -> Tensor:
    """Return (K, 2) a*b* of the hints, mapped to the gamut at the lightness of their points in (H, W) L*."""
    at = torch.stack([lightness[_pixel(hint, lightness.shape)] for hint in hints])
    lab = _lab([hint.color for hint in hints])
    return map_to_gamut(torch.cat((at[None], lab[1:]))[None])[0, 1:].T

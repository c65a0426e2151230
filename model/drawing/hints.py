"""Hints: desired colors at points of the photo.

The coarsest level gets the cells of the hints, and draws the others given these, as far as the hints spread; see
`AutoregressiveLevel.draw`. A correction that follows the photo's lightness removes the remaining error at the hints'
points.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.flow.sizes import SIDE
from model.options import MAX_HINTS, Hint, check_range
from model.pixels.bilateral import TAPS, area_average, point_upsampler
from model.pixels.color import rgb_to_lab
from model.pixels.gamut import map_to_gamut
from model.protocol import Frame, HintMatch, SmallPhoto

__all__ = ["check_hints", "given_cells", "hints_inside", "match_hints", "mend_hints", "tolerance_of"]

PIXELS = 8
"""Side of a cell in pixels of 64×64, the size at which lightness is compared with a hint's point."""
LIGHTNESS_REACH = 8.0
"""Standard deviation, in L*, of similarity to a hint's point, so that a color stops at the photo's edges."""
LEAST_SHARE = 0.6
"""Share of a hint's color for a cell of which no pixel has the lightness of the hint's point; 1 if all pixels have it.

A small object does not color its whole cell. Fitted by least squares to the cells of training photos.
"""
HALF_TOLERANCE = 5.0
"""Tolerance, in nats, at a spread of ½."""
REACH = 4.0
"""Standard deviation of a correction's reach, in pixels of 64×64."""
RIDGE = 1e-3
"""Weight of the corrections' squares against squared errors; makes contradicting hints average."""
MARGIN = 20.0
"""a*b* by which a correction may exceed the hints' colors, since upsampling averages them with surrounding colors."""
ROUNDS = 2
"""Number of successive corrections: one is not quite enough, because upsampling sharpens."""


def check_hints(hints: Sequence[Hint], spread: float) -> None:
    """Raise InputError for too many hints, or for one or their spread out of range."""
    check_range("hint_spread", spread, 0, 1)
    if len(hints) > MAX_HINTS:
        raise InputError("hints", f"at most {MAX_HINTS}", len(hints))
    for hint in hints:
        if not (0 <= hint.x <= 1 and 0 <= hint.y <= 1 and all(0 <= value <= 255 for value in hint.color)):
            raise InputError("hints", "x and y from 0 to 1, color from 0 to 255", hint)


def tolerance_of(spread: float) -> float:
    """Return the tolerance of draws for a spread: none at 1, infinite at 0."""
    return math.inf if spread == 0 else HALF_TOLERANCE * (1 - spread) / spread


def hints_inside(hints: Sequence[Hint], frame: Frame) -> list[Hint]:
    """Return hints with points relative to the photo inside its frame; drop those on the frame, which stays gray."""
    points = [frame.point_inside(hint.x, hint.y) for hint in hints]
    moved = (replace(hint, x=x, y=y) for hint, (x, y) in zip(hints, points, strict=True))
    return [hint for hint in moved if 0 <= hint.x <= 1 and 0 <= hint.y <= 1]


def given_cells(photo: SmallPhoto, hints: Sequence[Hint]) -> NDArray[np.float32]:
    """Return (2, 8, 8) a*b* of the coarsest cells with hints (the mean of several hints), NaN elsewhere.

    A color that sRGB lacks at its point's lightness is replaced by the nearest of the same hue. The fewer of a cell's
    pixels are as light as the hint's point, the weaker the cell's color.
    """
    wished = _wished_chroma(hints, photo.own_lightness)
    small = area_average(photo.lightness, (PIXELS * SIDE, PIXELS * SIDE))
    cells, counts = np.zeros((2, SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for hint, chroma in zip(hints, wished, strict=True):
        row, column = _pixel(hint, (SIDE, SIDE))
        alike = _likeness(small, photo.lightness, hint).reshape(SIDE, PIXELS, SIDE, PIXELS)[row, :, column].mean()
        cells[:, row, column] += chroma * (LEAST_SHARE + (1 - LEAST_SHARE) * alike)
        counts[row, column] += 1
    cells /= np.maximum(counts, 1)
    cells[:, counts == 0] = np.nan
    return cells


def mend_hints(chroma: NDArray[np.float32], photo: SmallPhoto, hints: Sequence[Hint]) -> NDArray[np.float32]:
    """Return (N, 2, h, w) a*b* that, when upsampled, have the desired colors at the hints' points.

    The correction is a sum of Gaussians of distance and of lightness around the hints, fitted by regularized least
    squares. No a*b* moves more than MARGIN outside the range of the hints' colors, unless it was there before;
    contradicting hints in one place are met on average.
    """
    lightness = photo.own_lightness
    points = [_pixel(hint, lightness.shape) for hint in hints]
    wished = _wished_chroma(hints, lightness)
    small = area_average(photo.lightness, chroma.shape[2:])
    bumps = np.stack([_bump(small, photo.lightness, hint) for hint in hints])
    # effect of each Gaussian on the color at each point: (K, K)
    upsample = point_upsampler(lightness, small.shape, points)
    moves = upsample(bumps[:, None])[..., 0].T
    fit = np.linalg.solve(moves.T @ moves + RIDGE * np.eye(len(hints), dtype=np.float32), moves.T)
    lowest = np.minimum(chroma, wished.min(0)[:, None, None] - MARGIN)
    highest = np.maximum(chroma, wished.max(0)[:, None, None] + MARGIN)
    mended = chroma
    for _ in range(ROUNDS):
        weights = fit @ (wished - upsample(mended))
        mended = np.clip(mended + np.tensordot(weights, bumps, (1, 0)), lowest, highest)
    return mended


def match_hints(images: NDArray[np.uint8], hints: Sequence[Hint]) -> tuple[tuple[HintMatch, ...], ...]:
    """Say how well each of (N, H, W, 3) sRGB images follows each hint."""
    points = [_pixel(hint, images.shape[1:3]) for hint in hints]
    wished = _lab(np.array([hint.color for hint in hints]))
    matches = []
    for image in images:
        colors = [tuple(image[point].tolist()) for point in points]
        difference = _lab(np.array(colors)) - wished
        total, chroma = (np.linalg.norm(part, axis=0).tolist() for part in (difference, difference[1:]))
        matches.append(tuple(HintMatch(*each) for each in zip(colors, total, chroma, strict=True)))
    return tuple(matches)


def _bump(small: NDArray[np.float32], lightness: NDArray[np.float32], hint: Hint) -> NDArray[np.float32]:
    """Return the share of a hint's correction for each pixel of (h, w) L*, up to 1; see `_likeness`."""
    row, column = _pixel(hint, small.shape)
    y, x = (np.arange(side) for side in small.shape)
    square = (y[:, None] - row) ** 2 + (x[None] - column) ** 2
    return (np.exp(-square / (2 * REACH**2)) * _likeness(small, lightness, hint)).astype(np.float32)


def _likeness(small: NDArray[np.float32], lightness: NDArray[np.float32], hint: Hint) -> NDArray[np.float32]:
    """Return the similarity, up to 1, of each pixel of (h, w) L* to the hint's point in the whole (H, W) L*.

    At an edge, the small pixel at the hint may differ from the point; similar pixels, from which the point's color is
    upsampled, then lie beside it.
    """
    row, column = _pixel(hint, small.shape)
    rows, columns = (slice(max(0, center - TAPS // 2), center + TAPS // 2 + 1) for center in (row, column))
    near = small[rows, columns]
    difference = small - np.clip(lightness[_pixel(hint, lightness.shape)], near.min(), near.max())
    return np.asarray(np.exp(-(difference**2) / (2 * LIGHTNESS_REACH**2)), np.float32)


def _pixel(hint: Hint, shape: Sequence[int]) -> tuple[int, int]:
    return min(int(hint.y * shape[0]), shape[0] - 1), min(int(hint.x * shape[1]), shape[1] - 1)


def _lab(colors: NDArray[Any]) -> NDArray[np.float32]:
    """Return (3, K) CIELAB of (K, 3) sRGB colors in 0…255."""
    return np.asarray(rgb_to_lab(colors.T[None].astype(np.float32) / 255)[0], np.float32)


def _wished_chroma(hints: Sequence[Hint], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (K, 2) a*b* of the hints, mapped to the gamut at the lightness of their points in (H, W) L*."""
    lab = _lab(np.array([hint.color for hint in hints]))
    lab[0] = [lightness[_pixel(hint, lightness.shape)] for hint in hints]
    return np.asarray(map_to_gamut(lab[None])[0, 1:].T)

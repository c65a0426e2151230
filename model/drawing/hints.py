"""Hints: desired colors at points of the photo.

The coarsest level gets the cells of the hints, and draws the others given these, as far as the hints spread; see
`AutoregressiveLevel.draw`. A correction that follows the photo's lightness removes the remaining error at the hints'
points.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.flow.sizes import SIDE
from model.options import MAX_HINTS, Hint, Point, check_range
from model.pixels.bilateral import TAPS, area_average, point_upsampler
from model.pixels.color import lab_to_rgb, rgb_to_lab
from model.pixels.gamut import map_to_gamut
from model.protocol import Frame, HintMatch, SmallPhoto

__all__ = [
    "check_hints",
    "check_points",
    "drawn_hints",
    "given_cells",
    "match_hints",
    "mend_hints",
    "points_inside",
    "tolerance_of",
    "wished_chroma",
    "without_cells",
]

P = TypeVar("P", bound=Point)

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
    check_points("hints", hints)
    for hint in hints:
        if not all(0 <= value <= 255 for value in hint.color):
            raise InputError("hints", "color from 0 to 255", hint)


def check_points(name: str, points: Sequence[Point]) -> None:
    """Raise InputError for too many points of an option, or for one out of range."""
    if len(points) > MAX_HINTS:
        raise InputError(name, f"at most {MAX_HINTS}", len(points))
    for point in points:
        if not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise InputError(name, "x and y from 0 to 1", point)


def tolerance_of(spread: float) -> float:
    """Return the tolerance of draws for a spread: none at 1, infinite at 0."""
    return math.inf if spread == 0 else HALF_TOLERANCE * (1 - spread) / spread


def points_inside(points: Sequence[P], frame: Frame) -> list[P]:
    """Return points relative to the photo inside its frame; drop those on the frame, which stays gray."""
    places = [frame.point_inside(point.x, point.y) for point in points]
    moved = (replace(point, x=x, y=y) for point, (x, y) in zip(points, places, strict=True))
    return [point for point in moved if 0 <= point.x <= 1 and 0 <= point.y <= 1]


def given_cells(photo: SmallPhoto, points: Sequence[Point], wished: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N, 2, 8, 8) a*b* of the coarsest cells with points (the mean of several points), NaN elsewhere.

    The fewer of a cell's pixels are as light as the point, the weaker the cell's color.

    wished: (N, K, 2) a*b* at the points.
    """
    cells, counts = np.zeros((len(wished), 2, SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for i, (point, share) in enumerate(zip(points, _shares(photo, points), strict=True)):
        row, column = _pixel(point, (SIDE, SIDE))
        cells[:, :, row, column] += wished[:, i] * share
        counts[row, column] += 1
    cells /= np.maximum(counts, 1)
    cells[:, :, counts == 0] = np.nan
    return cells


def without_cells(given: NDArray[np.float32], points: Sequence[Point]) -> NDArray[np.float32]:
    """Return (N, 2, 8, 8) given cells without those of some points."""
    rows, columns = _cells(points)
    given = given.copy()
    given[:, :, rows, columns] = np.nan
    return given


def mend_hints(
    chroma: NDArray[np.float32], photo: SmallPhoto, points: Sequence[Point], wished: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (N, 2, h, w) a*b* that, when upsampled, have the desired colors at K points.

    The correction is a sum of Gaussians of distance and of lightness around the points, fitted by regularized least
    squares. No a*b* moves more than MARGIN outside the range of the desired colors, unless it was there before;
    contradicting colors in one place are met on average.

    wished: (N, K, 2) a*b*.
    """
    lightness = photo.own_lightness
    small = area_average(photo.lightness, chroma.shape[2:])
    bumps = np.stack([_bump(small, photo.lightness, point) for point in points])
    # effect of each Gaussian on the color at each point: (K, K)
    upsample = point_upsampler(lightness, small.shape, [_pixel(point, lightness.shape) for point in points])
    moves = upsample(bumps[:, None])[..., 0].T
    fit = np.linalg.solve(moves.T @ moves + RIDGE * np.eye(len(points), dtype=np.float32), moves.T)
    lowest = np.minimum(chroma, wished.min(-2)[..., None, None] - MARGIN)
    highest = np.maximum(chroma, wished.max(-2)[..., None, None] + MARGIN)
    mended, flat = chroma, bumps.reshape(len(points), -1)
    for _ in range(ROUNDS):
        weights = fit @ (wished - upsample(mended))
        moved = weights.mT @ flat  # a product for each sample: of a single one, the last bits depend on their number
        mended = np.clip(mended + moved.reshape(chroma.shape), lowest, highest)
    return mended


def wished_chroma(photo: SmallPhoto, hints: Sequence[Hint]) -> NDArray[np.float32]:
    """Return (K, 2) a*b* of the hints.

    A color that sRGB lacks at its point's lightness is replaced by the nearest of the same hue.
    """
    lab = _lab(np.array([hint.color for hint in hints]))
    return _possible(photo, hints, lab[None, 1:])[0, 1:].T


def drawn_hints(photo: SmallPhoto, points: Sequence[Point], coarsest: NDArray[np.float32]) -> list[tuple[Hint, ...]]:
    """Return, for each of (N, 2, 8, 8) a*b*, hints at K points that would give the points' cells these colors."""
    cells = coarsest[:, :, *_cells(points)] / _shares(photo, points)
    colors = np.rint(255 * lab_to_rgb(_possible(photo, points, cells))).clip(0, 255).astype(int).transpose(0, 2, 1)
    return [
        tuple(Hint(point.x, point.y, tuple(color)) for point, color in zip(points, each, strict=True))
        for each in colors.tolist()
    ]


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


def _shares(photo: SmallPhoto, points: Sequence[Point]) -> NDArray[np.float32]:
    """Return the share of each of K points' colors that its cell has; see LEAST_SHARE."""
    small = area_average(photo.lightness, (PIXELS * SIDE, PIXELS * SIDE))
    shares = []
    for point in points:
        row, column = _pixel(point, (SIDE, SIDE))
        alike = _likeness(small, photo.lightness, point).reshape(SIDE, PIXELS, SIDE, PIXELS)[row, :, column].mean()
        shares.append(LEAST_SHARE + (1 - LEAST_SHARE) * alike)
    return np.array(shares, np.float32)


def _bump(small: NDArray[np.float32], lightness: NDArray[np.float32], point: Point) -> NDArray[np.float32]:
    """Return the share of a point's correction for each pixel of (h, w) L*, up to 1; see `_likeness`."""
    row, column = _pixel(point, small.shape)
    y, x = (np.arange(side) for side in small.shape)
    square = (y[:, None] - row) ** 2 + (x[None] - column) ** 2
    return (np.exp(-square / (2 * REACH**2)) * _likeness(small, lightness, point)).astype(np.float32)


def _likeness(small: NDArray[np.float32], lightness: NDArray[np.float32], point: Point) -> NDArray[np.float32]:
    """Return the similarity, up to 1, of each pixel of (h, w) L* to a point of the whole (H, W) L*.

    At an edge, the small pixel at the point may differ from it; similar pixels, from which the point's color is
    upsampled, then lie beside it.
    """
    row, column = _pixel(point, small.shape)
    rows, columns = (slice(max(0, center - TAPS // 2), center + TAPS // 2 + 1) for center in (row, column))
    near = small[rows, columns]
    difference = small - np.clip(lightness[_pixel(point, lightness.shape)], near.min(), near.max())
    return np.asarray(np.exp(-(difference**2) / (2 * LIGHTNESS_REACH**2)), np.float32)


def _cells(points: Sequence[Point]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and the columns of the coarsest cells of points."""
    places = np.array([_pixel(point, (SIDE, SIDE)) for point in points], np.intp)
    return places[:, 0], places[:, 1]


def _pixel(point: Point, shape: Sequence[int]) -> tuple[int, int]:
    return min(int(point.y * shape[0]), shape[0] - 1), min(int(point.x * shape[1]), shape[1] - 1)


def _lab(colors: NDArray[Any]) -> NDArray[np.float32]:
    """Return (3, K) CIELAB of (K, 3) sRGB colors in 0…255."""
    return np.asarray(rgb_to_lab(colors.T[None].astype(np.float32) / 255)[0], np.float32)


def _possible(photo: SmallPhoto, points: Sequence[Point], chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N, 3, K) CIELAB of (N, 2, K) a*b* at the lightness of K points, mapped to the gamut."""
    lightness = [photo.own_lightness[_pixel(point, photo.own_lightness.shape)] for point in points]
    levels = np.broadcast_to(np.array(lightness, np.float32), (len(chroma), 1, len(points)))
    return np.asarray(map_to_gamut(np.concatenate((levels, chroma), 1)), np.float32)

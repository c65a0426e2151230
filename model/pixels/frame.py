"""Frames: an even border around a photo, as prints and scans of film have, which the network need not see."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from model.protocol import NO_FRAME, Frame

__all__ = ["find_frame"]

SIZE = 256
"""Side, in pixels, of the square to which a photo is averaged to look for a frame."""
WIDEST = SIZE // 5
"""Pixels at each side that may belong to a frame."""
PAPER, FILM = 75.0, 16.0
"""L* of frames: at least of a print's, at most of a film's."""
EVENNESS = 6.0
"""Most L* by which nine of ten pixels of a frame's row or column differ, and rows' medians from the outermost's."""
SOFT = 3
"""Rows from a frame's last to what counts as behind it, for edges are soft."""
EDGE = 0.4
"""Least share of the pixels behind a frame's last row that differ from it: a photo's edge is a straight line."""


def find_frame(lightness: NDArray[np.float32], cells: int) -> Frame:
    """Return the frame of a photo, (H, W) L*. cells: side of the network's a*b* map.

    A frame is even, as light as paper or as dark as film, and ends at a straight line within a fifth of the photo. It
    is at two opposite sides at the least. All else may be sky, snow, night, or a background.
    """
    down, across = (max(1, side // (4 * SIZE)) for side in lightness.shape)  # every such row and column is enough
    some = np.ascontiguousarray(lightness[::down, ::across])
    small = np.asarray(cv2.resize(some, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.float32)
    rows = [_width(each) for each in (small, small[::-1])]
    columns = [_width(each) for each in (small.T, small.T[::-1])]
    if not (all(rows) or all(columns)):
        return NO_FRAME
    return Frame(*_in_cells(rows, cells), *_in_cells(columns, cells))


def _width(lines: NDArray[np.float32]) -> int:
    """Return how many of the first rows are a frame's."""
    lines = lines[: WIDEST + SOFT + 1]
    low, tone, high = np.percentile(lines, (5, 50, 95), axis=1)
    even = (high - low <= EVENNESS) & (abs(tone - tone[0]) <= EVENNESS)
    width = int(even.argmin())
    if even.all() or FILM < tone[0] < PAPER:
        return 0
    behind = lines[min(width + SOFT, len(lines) - 1)]
    return width if (abs(behind - tone[0]) > EVENNESS).mean() >= EDGE else 0


def _in_cells(widths: list[int], cells: int) -> list[int]:
    return [math.ceil(width * cells / (SIZE - sum(widths))) for width in widths]

"""Detection of frames: even borders of prints and film scans, which the network need not see."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from model.pixels.color import photo_to_lightness
from model.protocol import NO_FRAME, Frame

__all__ = ["find_frame", "without_frame"]

SIZE = 256
"""Longest side, in pixels, to which a photo is averaged in the search for a frame."""
WIDEST = 0.26
"""Share of a photo's side that a frame may cover at either end."""
PAPER, FILM = 75.0, 16.0
"""L* of frames: minimum for a print's, maximum for a film's."""
EVENNESS = 6.0
"""Maximum spread in L* of 90 % of a frame's row or column, and of rows' medians from the outermost one's."""
SOFT = 3
"""Rows between a frame's last row and the row compared with it, since edges are soft."""
EDGE = 0.4
"""Minimum share of the pixels behind a frame's last row that differ from it: a photo's edge is a straight line."""
LAYERS = 3
"""Maximum nested frames: paper around film around a photo."""


def find_frame(lightness: NDArray[np.float32]) -> Frame:
    """Return the frame of a photo, (H, W) L*.

    A frame is even, as light as paper or as dark as film, and ends at a straight line within about a quarter
    of the photo. It is on at least two opposite sides; anything else may be sky, snow, night, or a background.
    """
    frame = NO_FRAME
    for _ in range(LAYERS):
        found = _outermost(lightness[frame.inside(lightness.shape)])
        if found == NO_FRAME:
            break
        frame = frame.with_inner(found)
    return frame


def without_frame(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the part of a photo, (H, W, 3) sRGB, inside its frame."""
    return photo[find_frame(photo_to_lightness(photo)).inside(photo.shape)]


def _outermost(lightness: NDArray[np.float32]) -> Frame:
    down, across = (max(1, side // (4 * SIZE)) for side in lightness.shape)  # steps; not all rows are needed
    some = np.ascontiguousarray(lightness[::down, ::across])
    height, width = (min(side, SIZE) for side in some.shape)
    small = np.asarray(cv2.resize(some, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    top, bottom = (_width(small[::step], lightness[::step]) for step in (1, -1))
    left, right = (_width(small.T[::step], lightness.T[::step]) for step in (1, -1))
    return Frame(top, bottom, left, right) if (top and bottom) or (left and right) else NO_FRAME


def _width(lines: NDArray[np.float32], photo: NDArray[np.float32]) -> float:
    """Return the share of a photo's rows that are a frame's, from the first; the very first may be anything.

    lines: the photo averaged to (h, w) L*, in which a frame is found. photo: (H, W) L*, in which its edge is.
    """
    widest = int(WIDEST * len(lines))
    if widest < 2:
        return 0.0
    tone = np.float32(np.median(lines[1]))
    even = _even(lines[1 : widest + 2], tone)
    others = int(even.argmin())  # than the very first
    if even.all() or others == 0 or FILM < tone < PAPER:
        return 0.0
    width = 1 + others
    behind = lines[width + SOFT]
    if (abs(behind - np.median(lines[others])) > EVENNESS).mean() < EDGE:
        return 0.0
    return _edge(lines, photo, width, tone)


def _edge(lines: NDArray[np.float32], photo: NDArray[np.float32], width: int, tone: np.float32) -> float:
    """Return the share of a photo's own rows that are a frame's, from the number of averaged ones; see `_width`.

    A frame too grainy to be found at full size ends where it does among the averaged rows.
    """
    scale = len(photo) / len(lines)
    first, last = int((width - 1) * scale), math.ceil((width + 2) * scale)
    rows = np.ascontiguousarray(photo[first:last])
    small = cv2.resize(rows, (lines.shape[1], len(rows)), interpolation=cv2.INTER_AREA)
    even = _even(np.asarray(small, np.float32), tone)
    if even.all() or not even[0]:
        return width / len(lines)
    return (first + int(even.argmin())) / len(photo)


def _even(rows: NDArray[np.float32], tone: np.float32) -> NDArray[np.bool_]:
    """Say which rows, (n, w) L*, may be those of a frame of this tone: (n,)."""
    low, middle, high = np.percentile(rows, (5, 50, 95), axis=1)
    return (high - low <= EVENNESS) & (abs(middle - tone) <= EVENNESS)

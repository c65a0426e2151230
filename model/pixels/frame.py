"""Frames: an even border around a photo, as prints and scans of film have, which the network need not see."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.pixels.color import photo_to_lightness
from model.protocol import NO_FRAME, Frame

__all__ = ["find_frame", "without_frame"]

SIZE = 256
"""Longest side, in pixels, to which a photo is averaged to look for a frame."""
WIDEST = 0.2
"""Share of a photo's side that a frame may cover at either end."""
PAPER, FILM = 75.0, 16.0
"""L* of frames: at least of a print's, at most of a film's."""
EVENNESS = 6.0
"""Most L* by which nine of ten pixels of a frame's row or column differ, and rows' medians from the outermost's."""
SOFT = 3
"""Rows from a frame's last to what counts as behind it, for edges are soft."""
EDGE = 0.4
"""Least share of the pixels behind a frame's last row that differ from it: a photo's edge is a straight line."""
LAYERS = 3
"""Most frames that may lie in one another: paper around film around a photo."""


def find_frame(lightness: NDArray[np.float32]) -> Frame:
    """Return the frame of a photo, (H, W) L*.

    A frame is even, as light as paper or as dark as film, and ends at a straight line within a fifth of the photo. It
    is at two opposite sides at the least. All else may be sky, snow, night, or a background.
    """
    frame = NO_FRAME
    for _ in range(LAYERS):
        found = _outermost(lightness[frame.inside(lightness.shape)])
        if found == NO_FRAME:
            break
        frame = frame.with_inner(found)
    return frame


def without_frame(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what is inside of the frame of a photo, (H, W, 3) sRGB."""
    return photo[find_frame(photo_to_lightness(photo)).inside(photo.shape)]


def _outermost(lightness: NDArray[np.float32]) -> Frame:
    down, across = (max(1, side // (4 * SIZE)) for side in lightness.shape)  # every such row and column is enough
    some = np.ascontiguousarray(lightness[::down, ::across])
    height, width = (min(side, SIZE) for side in some.shape)
    small = np.asarray(cv2.resize(some, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    top, bottom, left, right = (_width(lines) for lines in (small, small[::-1], small.T, small.T[::-1]))
    return Frame(top, bottom, left, right) if (top and bottom) or (left and right) else NO_FRAME


def _width(lines: NDArray[np.float32]) -> float:
    """Return the share of the rows that are a frame's, from the first; the very first may be anything."""
    widest = int(WIDEST * len(lines))
    if widest < 2:
        return 0.0
    low, tones, high = np.percentile(lines[1 : widest + 2], (5, 50, 95), axis=1)
    even = (high - low <= EVENNESS) & (abs(tones - tones[0]) <= EVENNESS)
    others = int(even.argmin())  # than the very first
    if even.all() or others == 0 or FILM < tones[0] < PAPER:
        return 0.0
    width = 1 + others
    behind = lines[width + SOFT]
    return width / len(lines) if (abs(behind - tones[others - 1]) > EVENNESS).mean() >= EDGE else 0.0

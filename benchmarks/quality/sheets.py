"""Numbered sheets of small pictures, for people to rate."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["SIDE", "Picture", "draw_sheets", "shrink"]

COLUMNS, ROWS = 4, 3
SIDE = 256
"""Longest side of a picture on a sheet, in pixels."""
CAPTION = 18
PAPER, INK = (255, 255, 255), (0, 0, 0)

Picture = NDArray[np.uint8]


def shrink(photo: Picture) -> Picture:
    """Make the longest side SIDE pixels."""
    scale = SIDE / max(photo.shape[:2])
    shape = tuple(max(1, round(side * scale)) for side in photo.shape[1::-1])
    return np.asarray(
        cv2.resize(photo, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )


def draw_sheets(folder: Path, cells: Sequence[tuple[str, Picture]]) -> None:
    """Write captioned pictures to numbered sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, start in enumerate(range(0, len(cells), COLUMNS * ROWS), 1):
        _sheet(cells[start : start + COLUMNS * ROWS]).save(folder / f"sheet-{index:02}.png")


def _sheet(numbered: Sequence[tuple[str, Picture]]) -> Image.Image:
    """Put pictures on one sheet, each under its number."""
    cell = SIDE + CAPTION
    sheet = Image.new("RGB", (COLUMNS * (SIDE + 8), ROWS * (cell + 8)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (number, picture) in enumerate(numbered):
        left, top = place % COLUMNS * (SIDE + 8) + 4, place // COLUMNS * (cell + 8)
        draw.text((left, top + 3), number, fill=INK)
        sheet.paste(Image.fromarray(picture), (left, top + CAPTION))
    return sheet

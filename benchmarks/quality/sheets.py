"""Numbered sheets of pictures for viewers to rate."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.errors import InputError
from training.rated import KEY_FILE

__all__ = ["LARGEST_SIDE", "SIDE", "Picture", "begin", "draw_sheets", "shrink"]

WIDTH, HEIGHT = 1056, 852
"""Largest sheet of single pictures, in pixels; larger sheets are shown to viewers scaled down."""
SIDE = 256
"""Default of the longest side of a picture on a sheet, in pixels."""
CAPTION, GAP = 18, 8
LARGEST_SIDE = HEIGHT - CAPTION - GAP
"""Longest side of a picture that fits a sheet."""
PAPER, INK = (255, 255, 255), (0, 0, 0)

Picture = NDArray[np.uint8]


def begin(folder: Path) -> None:
    """Make a folder for sheets and their key. Raises InputError if it has a key: viewers may be rating its sheets."""
    if (folder / KEY_FILE).exists():
        raise InputError("out", "a new folder, since viewers may be rating the sheets of this one", str(folder))
    folder.mkdir(parents=True, exist_ok=True)


def shrink(photo: Picture, side: int = SIDE) -> Picture:
    """Resize a photo so that its longest side has `side` pixels."""
    scale = side / max(photo.shape[:2])
    shape = tuple(max(1, round(length * scale)) for length in photo.shape[1::-1])
    return np.asarray(
        cv2.resize(photo, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )


def draw_sheets(folder: Path, cells: Sequence[tuple[str, Picture]], side: int = SIDE, together: int = 1) -> None:
    """Write captioned pictures to numbered sheets.

    side: longest side of any picture, in pixels. together: number of consecutive pictures that must share a row.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = max(together, WIDTH // (side + GAP) // together * together)
    rows = max(1, HEIGHT // (side + CAPTION + GAP))
    for index, start in enumerate(range(0, len(cells), columns * rows), 1):
        _sheet(cells[start : start + columns * rows], side, columns, rows).save(folder / f"sheet-{index:02}.png")


def _sheet(numbered: Sequence[tuple[str, Picture]], side: int, columns: int, rows: int) -> Image.Image:
    """Draw pictures on one sheet, each under its number."""
    width, height = side + GAP, side + CAPTION + GAP
    sheet = Image.new("RGB", (columns * width, rows * height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (number, picture) in enumerate(numbered):
        left, top = place % columns * width + GAP // 2, place // columns * height
        draw.text((left, top + 3), number, fill=INK)
        sheet.paste(Image.fromarray(picture), (left, top + CAPTION))
    return sheet

"""Sheets of pictures in rows, such as gray, truth, temperature 0 and samples of one photo each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["draw_sheet"]

GAP = 4
GROUP_GAP = 12
HEADER = 18
PAPER = (255, 255, 255)
INK = (32, 32, 32)


def draw_sheet(rows: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str], groups: int = 1) -> Image.Image:
    """Put rows of pictures under titles, if any. Pictures of a row have one height, those of a column one width.

    groups: number of equal groups of columns, with a gap between them.
    """
    widths = [picture.shape[1] for picture in rows[0]]
    gaps = [GAP if column % (len(widths) // groups) else GROUP_GAP for column in range(len(widths))]
    lefts = [sum(widths[:column]) + sum(gaps[1 : column + 1]) for column in range(len(widths))]
    top = HEADER if any(titles) else 0
    height = top + sum(row[0].shape[0] + GAP for row in rows) - GAP
    sheet = Image.new("RGB", (lefts[-1] + widths[-1], height), color=PAPER)
    draw = ImageDraw.Draw(sheet)
    for left, title in zip(lefts, titles, strict=True):
        draw.text((left + 2, 3), title, fill=INK)
    for row in rows:
        for left, picture in zip(lefts, row, strict=True):
            sheet.paste(Image.fromarray(picture), (left, top))
        top += row[0].shape[0] + GAP
    return sheet

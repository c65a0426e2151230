"""Contact sheets: for each photo a row of grey, truth, temperature 0 and samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["write_sheet"]

GAP = 4
HEADER = 18
PAPER = (255, 255, 255)
INK = (32, 32, 32)


def write_sheet(rows: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str], path: Path) -> None:
    """Write rows of equally large (H, W, 3) pictures under the titles of their columns."""
    height, width = rows[0][0].shape[:2]
    sheet = Image.new(
        "RGB", (len(titles) * (width + GAP) - GAP, HEADER + len(rows) * (height + GAP) - GAP), color=PAPER
    )
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((column * (width + GAP) + 2, 3), title, fill=INK)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (column * (width + GAP), HEADER + row * (height + GAP)))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)

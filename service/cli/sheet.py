"""Contact sheets: one row per photo, with the gray photo and its colorings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.client.found import Photo, Trouble
from service.client.record import Entry
from service.client.whole_file import whole_file
from service.errors import ServiceError

__all__ = ["write_sheets"]

CELL, MARGIN, CAPTION = 256, 12, 22  # pixels
ROWS = 12  # of one sheet
MAX_PIXELS = 2**31
"""the photo was decoded before: the limit was looked at there"""
COMMENT = b"contact sheet by tintflow"
"""mark in each sheet, so that only sheets are overwritten"""
INK, PAPER = "black", "white"


def write_sheets(out: Path, entries: Mapping[Photo, Entry], overwrite: bool) -> tuple[list[Path], list[Trouble]]:
    """Write `sheet.jpg`, `sheet-2.jpg`, … and return them, and the failures."""
    rows = list(entries.items())
    sheets, troubles = [], []
    for number, start in enumerate(range(0, len(rows), ROWS), 1):
        file = out / ("sheet.jpg" if number == 1 else f"sheet-{number}.jpg")
        if file.exists() and not overwrite and not _is_sheet(file):
            troubles.append(
                Trouble(str(file), "a file of this name exists and is not a contact sheet; --overwrite replaces it")
            )
            continue
        try:
            sheet = _draw(out, rows[start : start + ROWS])
            with whole_file(file) as part:
                sheet.save(part, "JPEG", quality=90, comment=COMMENT)
            sheets.append(file)
        except (OSError, ServiceError) as error:
            troubles.append(Trouble.of(file, error))
    return sheets, troubles


def _is_sheet(file: Path) -> bool:
    try:
        with Image.open(file, formats=["JPEG"]) as image:
            return image.info.get("comment") == COMMENT
    except OSError:
        return False


def _draw(out: Path, rows: Sequence[tuple[Photo, Entry]]) -> Image.Image:
    columns = 1 + max(len(entry.files) for _, entry in rows)
    step, row_step = CELL + MARGIN, CELL + CAPTION + MARGIN
    sheet = Image.new("RGB", (MARGIN + columns * step, MARGIN + len(rows) * row_step), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, (photo, entry) in enumerate(rows):
        cells = [(entry.target, _gray(photo.source))]
        for made in entry.files:
            with Image.open(out / made.file) as image:
                image.draft("RGB", (CELL, CELL))
                cells.append((f"{made.index}   {made.bits_per_dim:.2f} bits/dim", _over_paper(image)))
        for column, (caption, picture) in enumerate(cells):
            picture.thumbnail((CELL, CELL))
            left, top = MARGIN + column * step, MARGIN + row * row_step
            sheet.paste(picture, (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2))
            draw.text((left, top + CELL + 2), _shortened(caption, font), INK, font)
    return sheet


def _gray(photo: Path) -> Image.Image:
    from service.codecs.decoding import decode  # late: it registers HEIC, which a server leaves to its decoders

    pixels = decode(photo.read_bytes(), MAX_PIXELS).pixels
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return Image.fromarray(pixels).convert("L")


def _over_paper(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, PAPER), rgba).convert("RGB")


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return as much of a text's end as fits."""
    while font.getlength(text) > CELL:
        text = "…" + text.removeprefix("…")[1:]
    return text

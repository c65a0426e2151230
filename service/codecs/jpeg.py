"""JPEG markers: the number of scans, and repair of a missing end marker."""

import re
from io import BytesIO

from PIL import Image
from PIL.ImageFile import ImageFile

__all__ = ["count_scans", "load_without_end"]

MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A JPEG marker, except those inside the picture's data, and TEM, which has no meaning and no length"""
LAST_RESTART = re.compile(rb".*\xff([\xd0-\xd7])", re.DOTALL)
START_OF_SCAN, END_OF_IMAGE, START_OF_IMAGE, FIRST_RESTART = 0xDA, 0xD9, 0xD8, 0xD0
END = bytes((0xFF, END_OF_IMAGE))
ROOM = bytes(4)
"""End of a preallocated file whose download stopped: more zeros than a picture's own data ends with"""
OTHER_DATA = bytes(range(254, 0, -1))
"""Data of a picture, other than the zeros that libjpeg reads at a marker"""


def count_scans(jpeg: bytes, most: int) -> tuple[int, bool]:
    """Count a JPEG's scans, up to `most` + 1, and say whether its end marker was found.

    Ignores data after the end, such as a phone's video.
    """
    place = scans = 0
    while scans <= most and (found := MARKER.search(jpeg, place)):
        code, place = jpeg[found.start() + 1], found.end()
        if code == END_OF_IMAGE:
            return scans, True
        scans += code == START_OF_SCAN
        if code != START_OF_IMAGE:
            place += int.from_bytes(jpeg[place : place + 2])
    return scans, False


def load_without_end(image: ImageFile, jpeg: bytes) -> None:
    """Load a JPEG that lacks only its end marker. Raises EOFError if data is missing, too.

    Missing data shows because the pixels then depend on what replaces it: two different endings are compared.
    A progressive JPEG that ends between two scans counts as whole: it is a coarser picture.
    """
    data = jpeg.rstrip(b"\0") if jpeg.endswith(ROOM) else jpeg
    if data.endswith(b"\xff"):  # else it would be read as the start of a marker
        data += b"\0"
    image.fp = BytesIO(data + END)
    image.load()
    other_end = OTHER_DATA + _next_restart(data) + OTHER_DATA + END  # for data that ends before a restart, or elsewhere
    with Image.open(BytesIO(data + other_end), formats=["JPEG"]) as other:
        if image.tobytes() != other.tobytes():
            raise EOFError("data is missing")


def _next_restart(data: bytes) -> bytes:
    """Return the restart marker due next in a JPEG's last scan; the eight markers repeat in order."""
    last = LAST_RESTART.match(data, data.rfind(bytes((0xFF, START_OF_SCAN))))
    number = last[1][0] - FIRST_RESTART + 1 if last else 0
    return bytes((0xFF, FIRST_RESTART + number % 8))

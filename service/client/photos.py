"""Photos that a call sends, from wherever they are."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO

from PIL import Image

__all__ = ["PhotoSource", "opened"]

PhotoSource = str | PathLike[str] | bytes | IO[bytes] | Image.Image
"""a path, a file's bytes, a file open for reading bytes, which is streamed, or a Pillow image, which is sent as PNG"""


@contextmanager
def opened(photos: Mapping[str, PhotoSource]) -> Iterator[dict[str, tuple[str, IO[bytes]]]]:
    """Open photos as files with names, for as long as it takes; those given open stay open.

    Raises OSError for a path that cannot be read.
    """
    with ExitStack() as stack:

        def open_one(name: str, photo: PhotoSource) -> tuple[str, IO[bytes]]:
            if isinstance(photo, bytes):
                return name, BytesIO(photo)
            if isinstance(photo, Image.Image):
                png = BytesIO()
                photo.save(png, "PNG")
                return name, png
            if isinstance(photo, str | PathLike):
                return Path(photo).name, stack.enter_context(Path(photo).open("rb"))
            return name, photo

        yield {name: open_one(name, photo) for name, photo in photos.items()}

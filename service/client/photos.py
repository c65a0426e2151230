"""Photos that a call sends: paths, bytes, open files and Pillow images."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BytesIO, TextIOBase
from os import SEEK_END, SEEK_SET, PathLike
from pathlib import Path
from threading import Lock
from typing import IO, cast

from PIL import Image

__all__ = ["PhotoSource", "opened", "without_images"]

PhotoSource = str | PathLike[str] | bytes | IO[bytes] | Image.Image
"""a path, a file's bytes, a file open for reading bytes, which is streamed, or a Pillow image, sent as PNG or TIFF"""
TIFF_MODES = ("CMYK", "F", "I", "LAB")
"""modes of Pillow that PNG cannot hold, and the service reads"""
CONVERTED = {"HSV": "RGB", "La": "LA", "PA": "RGBA", "RGBX": "RGB", "RGBa": "RGBA", "YCbCr": "RGB"}
CONVERTED |= {"I;16L": "I", "I;16N": "I"}  # to I;16, Pillow would clip them to 8 bits
"""Pillow modes converted first, because neither PNG nor TIFF holds them"""
_WRITING = Lock()  # Pillow loads an image at first use; two threads must not do so at once
_READING = Lock()  # from seek to read: threads may share a file


def without_images(photos: Mapping[str, PhotoSource]) -> dict[str, PhotoSource]:
    """Write Pillow images among the photos as files. Takes seconds for large ones."""
    return {name: _written(photo) if isinstance(photo, Image.Image) else photo for name, photo in photos.items()}


@contextmanager
def opened(photos: Mapping[str, PhotoSource]) -> Iterator[dict[str, tuple[str, IO[bytes]]]]:
    """Open photos as files by field name, and close them at exit, except those given open.

    Raises OSError for an unreadable path, and TypeError for anything that is not a photo.
    """
    with ExitStack() as stack:

        def open_one(name: str, photo: PhotoSource) -> tuple[str, IO[bytes]]:
            if isinstance(photo, bytes):
                return name, BytesIO(photo)
            if isinstance(photo, Image.Image):
                return name, _written(photo)
            if isinstance(photo, str | PathLike):
                photo = stack.enter_context(Path(photo).open("rb"))
            if not hasattr(photo, "seekable") or isinstance(photo, TextIOBase):
                expected = "a path, bytes, a file open for reading bytes or a Pillow image"
                raise TypeError(f"{name}: expected {expected}, got {type(photo).__name__}")
            return name, cast("IO[bytes]", _Sized(photo) if photo.seekable() else _Pipe(photo))

        yield {name: open_one(name, photo) for name, photo in photos.items()}


class _Sized:
    """A file cut at its present length: httpx announces this, and must not send more if the file grows.

    Has a position of its own: calls at once may share a file. Has no `fileno`: for a file that is decompressed as it is
    read, httpx would take the compressed length.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.seekable = file, file.seekable
        self._position = 0
        with _READING:
            self._size = file.seek(0, SEEK_END)

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._position = self._size if whence == SEEK_END else offset
        return self._position

    def read(self, size: int) -> bytes:
        left = self._size - self._position
        with _READING:
            self._file.seek(self._position)
            data = self._file.read(min(size, left))
        self._position += len(data)
        if left and not data:
            raise OSError("the file became shorter while it was sent")
        return data


class _Pipe:
    """A file that cannot be read twice. Has no `fileno`: for a pipe, httpx would take a length of 0."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seekable = file.read, file.seekable


def _written(image: Image.Image) -> BytesIO:
    """Return a Pillow image as a file: PNG, or TIFF for modes that PNG cannot hold."""
    file = BytesIO()
    with _WRITING:
        if image.mode not in TIFF_MODES:
            image = image.convert(CONVERTED.get(image.mode, image.mode))
        if image.mode in TIFF_MODES:
            image.save(file, "TIFF", compression="tiff_adobe_deflate")
        else:
            image.save(file, "PNG")
    return file

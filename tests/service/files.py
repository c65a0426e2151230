"""Image files in memory: as Pillow writes them, and byte by byte for what no library would write."""

import struct
import zlib
from io import BytesIO

from PIL import Image

import service.codecs.decoding  # noqa: F401 - it registers HEIC with Pillow

__all__ = ["chunk", "encoded", "png"]


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """Write an image as a file's bytes."""
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG's chunk."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, color: int = 0) -> bytes:
    """A PNG of this size, gray by default, that holds no more than these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")

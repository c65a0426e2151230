"""Image files in memory, written by Pillow, or byte by byte where no library would write them."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

import service.codecs.decoding  # noqa: F401 - it registers HEIC with Pillow

__all__ = [
    "BOMB_BYTES",
    "COLORS",
    "SRGB",
    "chunk",
    "encoded",
    "icc_profile",
    "opened",
    "png",
    "random_image",
    "swapped_srgb",
    "tiff",
]

BOMB_BYTES = 100e6
"""Memory that a refused file may take, in the service and its decoders together."""
Y, X = np.mgrid[0:24, 0:40]
COLORS = Image.fromarray(np.stack([6 * X, 10 * Y, 255 - 6 * X], axis=2).astype(np.uint8))
"""A smooth image, 40 wide and 24 high, of three different channels."""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
"""An ICC profile, which holds the time at which it was made."""


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """Encode an image; return the file's bytes."""
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    """Open an image from a file's bytes."""
    return Image.open(BytesIO(data))


def random_image(*shape: int) -> Image.Image:
    """Return an image of random levels with this height, width and number of channels."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, color: int = 0) -> bytes:
    """Return a PNG of this size, gray by default, with only these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def tiff(entries: dict[int, tuple[int, int, int]], after: bytes = b"", following: int = 0) -> bytes:
    """Return a TIFF with a directory of entries tag: (type, count, value), followed by other bytes."""
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items())
    )
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + after


def icc_profile(space: str, gamma: float, name: str = "test") -> bytes:
    """Return sRGB's ICC profile with another space, `GRAY` or `RGB `, another gamma and another name."""
    text = name.encode() + b"\0"
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    description = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(79)
    profile = bytearray(SRGB)
    for tag, content in ((b"desc", description), (b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve)):
        struct.pack_into(">II", profile, profile.index(tag) + 4, len(profile), len(content))
        profile += content + bytes(-len(content) % 4)
    profile[:4], profile[16:20] = len(profile).to_bytes(4), space.encode()
    return bytes(profile.replace(b"rTRC", b"kTRC") if space == "GRAY" else profile)


def swapped_srgb() -> bytes:
    """Return an ICC profile with the name and the grays of sRGB, but with red and green exchanged."""
    return SRGB.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")

"""Metadata in encoded images: EXIF, ICC profile, resolution and XMP, put in without touching the pixels."""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from service.api.formats import OutputFormat

__all__ = ["JPEG_SEGMENT_BYTES", "Embedded", "embed", "xmp_of"]

JPEG_SEGMENT_BYTES = 65_533
PER_METER = 1  # of pHYs
ICC_MARK = b"ICC_PROFILE\0"
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
PNG_HEADER_BYTES = 8 + 25  # signature, IHDR
WEBP_ICC, WEBP_ALPHA, WEBP_EXIF, WEBP_XMP = 0x20, 0x10, 0x08, 0x04  # flags of VP8X


@dataclass(frozen=True)
class Embedded:
    """Metadata of an image's file."""

    exif: bytes | None = None
    """starts with `Exif\\0\\0`; in a JPEG at most JPEG_SEGMENT_BYTES"""
    profile: bytes | None = None
    """ICC profile of the pixels"""
    dots_per_meter: tuple[int, int] | None = None
    """horizontal and vertical resolution, for PNG; JPEG and WebP have it in EXIF"""
    xmp: bytes | None = None
    """XMP packet; a JPEG leaves out a longer one than JPEG_SEGMENT_BYTES"""


def embed(data: bytes, output_format: OutputFormat, embedded: Embedded) -> bytes:
    """Put metadata into an encoded image, which may have other kinds of metadata, but not these."""
    if not (embedded.exif or embedded.profile or embedded.xmp):
        return data
    return {"jpeg": _into_jpeg, "png": _into_png, "webp": _into_webp}[output_format](data, embedded)


def xmp_of(data: bytes) -> bytes | None:
    """Return the XMP packet of an encoded image."""
    with Image.open(BytesIO(data)) as image:
        image.load()  # a PNG's text may follow its pixels
        return image.info.get("xmp")


def _into_jpeg(data: bytes, embedded: Embedded) -> bytes:
    segments = b""
    if embedded.exif:
        segments += _segment(0xE1, embedded.exif)
    if embedded.xmp and len(xmp := XMP_MARK + embedded.xmp) <= JPEG_SEGMENT_BYTES:
        segments += _segment(0xE1, xmp)
    if profile := embedded.profile:
        size = JPEG_SEGMENT_BYTES - len(ICC_MARK) - 2
        parts = [profile[start : start + size] for start in range(0, len(profile), size)]
        for number, part in enumerate(parts, 1):
            segments += _segment(0xE2, ICC_MARK + bytes((number, len(parts))) + part)
    start = 2
    if data[2:4] == b"\xff\xe0":  # JFIF's own segment stays the first
        start += 2 + int.from_bytes(data[4:6], "big")
    return b"".join((data[:start], segments, memoryview(data)[start:]))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def _into_png(data: bytes, embedded: Embedded) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    chunks = b""
    if embedded.profile:
        chunks += chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(embedded.profile))
    if embedded.dots_per_meter:
        chunks += chunk(b"pHYs", struct.pack(">IIB", *embedded.dots_per_meter, PER_METER))
    if embedded.exif:
        chunks += chunk(b"eXIf", embedded.exif.removeprefix(b"Exif\0\0"))
    if embedded.xmp:
        chunks += chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + embedded.xmp)  # uncompressed, in no language
    return b"".join((data[:PNG_HEADER_BYTES], chunks, memoryview(data)[PNG_HEADER_BYTES:]))


def _into_webp(data: bytes, embedded: Embedded) -> bytes:
    """Rewrite a WebP with its chunks in the order of the format: profile, pixels, EXIF, XMP."""
    chunks = dict(_chunks_of_webp(data))
    more = {b"ICCP": embedded.profile, b"XMP ": embedded.xmp}
    more[b"EXIF"] = embedded.exif.removeprefix(b"Exif\0\0") if embedded.exif else None
    chunks |= {name: memoryview(body) for name, body in more.items() if body}
    with Image.open(BytesIO(data)) as image:
        size, has_alpha = image.size, "A" in image.getbands()
    flags = WEBP_ALPHA * has_alpha
    flags |= sum(
        flag for flag, name in ((WEBP_ICC, b"ICCP"), (WEBP_EXIF, b"EXIF"), (WEBP_XMP, b"XMP ")) if name in chunks
    )
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    chunks[b"VP8X"] = memoryview(struct.pack("<I", flags) + sides)
    parts: list[bytes | memoryview] = []
    for name in (b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L", b"EXIF", b"XMP "):
        if name in chunks:
            body = chunks[name]
            parts += [name, struct.pack("<I", len(body)), body, b"\0" * (len(body) % 2)]
    length = sum(map(len, parts)) + 4
    return b"".join((b"RIFF", struct.pack("<I", length), b"WEBP", *parts))


def _chunks_of_webp(data: bytes) -> list[tuple[bytes, memoryview]]:
    """Return name and content of each chunk of a still WebP."""
    view, start, chunks = memoryview(data), 12, []
    while start + 8 <= len(data):
        length = int.from_bytes(view[start + 4 : start + 8], "little")
        chunks.append((bytes(view[start : start + 4]), view[start + 8 : start + 8 + length]))
        start += 8 + length + length % 2
    return chunks

"""File formats: of photos, by suffix; of colorings, with media types and limits.

Decoders and encoders are in `service.codecs`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["FORMATS", "PHOTO_FORMATS", "PHOTO_SUFFIXES", "Format", "OutputFormat", "alternatives"]

OutputFormat = Literal["jpeg", "png", "webp"]

PHOTO_FORMATS = {
    "JPEG": [".jpg", ".jpeg", ".jpe", ".jfif"],
    "PNG": [".png", ".apng"],
    "WebP": [".webp"],
    "TIFF": [".tif", ".tiff"],
    "GIF": [".gif"],
    "BMP": [".bmp"],
    "AVIF": [".avif", ".avifs"],
    "HEIC": [".heic", ".heics", ".heif", ".heifs", ".hif"],
}
"""Formats of photos that are read, each with its suffixes in lower case"""
PHOTO_SUFFIXES = frozenset(suffix for suffixes in PHOTO_FORMATS.values() for suffix in suffixes)


def alternatives(words: Iterable[str]) -> str:
    """Join words as in a sentence: a, b or c."""
    *first, last = words
    return f"{', '.join(first)} or {last}"


@dataclass(frozen=True)
class Format:
    """One output format."""

    media_type: str
    suffix: str
    max_side: int
    """longest side that the encoder writes, in pixels"""


FORMATS: dict[OutputFormat, Format] = {
    "jpeg": Format("image/jpeg", ".jpg", 65_500),
    "png": Format("image/png", ".png", 1_000_000),
    "webp": Format("image/webp", ".webp", 16_383),
}

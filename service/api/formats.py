"""Formats of files: what comes in, by suffix; what goes out, with media types and limits.

Decoders and encoders are in `service.codecs`.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["FORMATS", "PHOTO_SUFFIXES", "Format", "OutputFormat"]

OutputFormat = Literal["jpeg", "png", "webp"]

PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".gif", ".bmp",
    ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif",
})  # fmt: skip
"""suffixes of photos in a folder, in lower case"""


@dataclass(frozen=True)
class Format:
    """One output format."""

    media_type: str
    suffix: str
    max_side: int
    """longest side that the encoder writes, in pixels"""


FORMATS: dict[OutputFormat, Format] = {
    "jpeg": Format("image/jpeg", ".jpg", 65_500),
    "png": Format("image/png", ".png", 2**31 - 1),
    "webp": Format("image/webp", ".webp", 16_383),
}

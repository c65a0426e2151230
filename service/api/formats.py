"""Output formats: names, media types, suffixes and limits. Their encoders are in `service.codecs.encoding`."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["FORMATS", "Format", "OutputFormat"]

OutputFormat = Literal["jpeg", "png", "webp"]


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

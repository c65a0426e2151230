"""Pixels become a file's bytes."""

from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import OutputSizeError

__all__ = ["MEDIA_TYPES", "OutputFormat", "check_output_size", "encode"]

OutputFormat = Literal["jpeg", "png", "webp"]

MEDIA_TYPES: dict[OutputFormat, str] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
MAX_SIDES: dict[OutputFormat, int] = {"jpeg": 65_500, "png": 2**31 - 1, "webp": 16_383}
"""the longest side, in pixels, that each encoder writes"""
PNG_COMPRESS_LEVEL = 3  # of zlib: about a third of the default's time for a few percent more bytes
WEBP_METHOD = 2  # 0 fast … 6 small


def check_output_size(width: int, height: int, output_format: OutputFormat) -> None:
    """Raise OutputSizeError if the format cannot hold an image of this size."""
    if max(width, height) > MAX_SIDES[output_format]:
        longest = MAX_SIDES[output_format]
        raise OutputSizeError(f"output_format: {output_format} holds sides of up to {longest}, not {width}×{height}")


def encode(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, output_format: OutputFormat, quality: int) -> bytes:
    """Encode an image, with its alpha for PNG and WebP, over white for JPEG, which has none.

    rgb: (H, W, 3) sRGB. alpha: (H, W) or None = opaque. quality: 1 … 100; PNG is lossless and ignores it.
    """
    image = Image.fromarray(rgb)
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    buffer = BytesIO()
    if output_format == "jpeg":
        if alpha is not None:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
        image.save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    elif output_format == "png":
        image.save(buffer, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    else:
        # exact: colours below transparent pixels are kept, as PNG keeps them
        image.save(buffer, "WEBP", quality=quality, method=WEBP_METHOD, exact=True)
    return buffer.getvalue()

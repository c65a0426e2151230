"""Pixels become a file's bytes, by the encoders that `python -m benchmarks.speed.codecs` found to be worth it."""

from io import BytesIO
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import OutputSizeError

__all__ = ["MEDIA_TYPES", "OutputFormat", "check_output_size", "encode"]

OutputFormat = Literal["jpeg", "png", "webp"]

MEDIA_TYPES: dict[OutputFormat, str] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
MAX_SIDES: dict[OutputFormat, int] = {"jpeg": 65_500, "png": 2**31 - 1, "webp": 16_383}
"""the longest side, in pixels, that each encoder writes"""
PNG_LEVEL = 1  # of zlib: 9 is small, but takes many times as long
WEBP_METHOD = 0  # 0 fast … 6 small: on photos, the slow ones save next to nothing


def check_output_size(width: int, height: int, output_format: OutputFormat) -> None:
    """Raise OutputSizeError if the format cannot hold an image of this size."""
    if max(width, height) > MAX_SIDES[output_format]:
        longest = MAX_SIDES[output_format]
        raise OutputSizeError(f"output_format: {output_format} holds sides of up to {longest}, not {width}×{height}")


def encode(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, output_format: OutputFormat, quality: int) -> bytes:
    """Encode an image, with its alpha for PNG and WebP, over white for JPEG, which has none.

    rgb: (H, W, 3) sRGB. alpha: (H, W) or None = opaque. quality: 1 … 100; PNG is lossless and ignores it.
    """
    if output_format == "webp":
        return _encode_webp(rgb if alpha is None else np.dstack((rgb, alpha)), quality)
    if output_format == "png":
        # the one filter that suits photos, and flat areas no less; to choose one for each row takes half as long again
        options = (cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)
        return _encode_by_opencv(rgb if alpha is None else np.dstack((rgb, alpha)), ".png", options)
    sampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    flat = rgb if alpha is None else _over_white(rgb, alpha)
    return _encode_by_opencv(flat, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality, *sampling))


def _encode_by_opencv(pixels: NDArray[np.uint8], suffix: str, options: tuple[int, ...]) -> bytes:
    order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    _, data = cv2.imencode(suffix, cv2.cvtColor(pixels, order), options)
    return data.tobytes()


def _encode_webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    buffer = BytesIO()
    # exact: colours below transparent pixels are kept, as PNG keeps them
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=WEBP_METHOD, exact=True)
    return buffer.getvalue()


def _over_white(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(rgb)
    return np.asarray(Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(alpha)))

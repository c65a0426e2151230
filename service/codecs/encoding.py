"""Encoding of pixels, by the encoders that did best in `python -m benchmarks.speed.codecs`."""

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.api.formats import FORMATS, OutputFormat
from service.codecs.embedding import Embedded, embed
from service.errors import OutputSizeError

__all__ = ["ENCODERS", "check_output_size", "encode"]

PNG_LEVEL = 1  # zlib level; 9 gives smaller files, but takes many times as long
WEBP_METHOD = 0  # 0 fast … 6 small; on photos, slow methods save almost nothing
ALPHA_METHOD = 1  # with alpha; method 0 stores alpha that fades from row to row uncompressed


def check_output_size(width: int, height: int, output_format: OutputFormat) -> None:
    """Raise OutputSizeError if the format cannot hold an image of this size."""
    longest = FORMATS[output_format].max_side
    if max(width, height) > longest:
        raise OutputSizeError(f"output_format: {output_format} holds sides of up to {longest}, not {width}×{height}")


def encode(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None,
    output_format: OutputFormat,
    quality: int,
    xmp: bytes | None = None,
) -> bytes:
    """Encode an image, with its alpha in PNG and WebP, over white in JPEG, which has no alpha.

    rgb: (H, W, 3) sRGB. alpha: (H, W) or None = opaque. quality: 1 … 100; PNG is lossless and ignores it. xmp: packet
    that the file holds.
    """
    return embed(ENCODERS[output_format](rgb, alpha, quality), output_format, Embedded(xmp=xmp))


def _encode_jpeg(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, quality: int) -> bytes:
    sampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    if alpha is not None:
        image = Image.fromarray(rgb)
        rgb = np.asarray(Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(alpha)))
    return _encode_by_opencv(rgb, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality, *sampling))


def _encode_png(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, quality: int) -> bytes:
    # this filter suits photos and flat areas; choosing one for each row takes 50% longer
    options = (cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)
    return _encode_by_opencv(rgb if alpha is None else np.dstack((rgb, alpha)), ".png", options)


def _encode_webp(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, quality: int) -> bytes:
    buffer = BytesIO()
    pixels = rgb if alpha is None else np.dstack((rgb, alpha))
    method = WEBP_METHOD if alpha is None else ALPHA_METHOD
    # exact: colors below transparent pixels are kept, as PNG keeps them
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=method, exact=True)
    return buffer.getvalue()


ENCODERS = {"jpeg": _encode_jpeg, "png": _encode_png, "webp": _encode_webp}
"""one encoder for each format in `service.api.formats`"""


def _encode_by_opencv(pixels: NDArray[np.uint8], suffix: str, options: tuple[int, ...]) -> bytes:
    order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    is_written, data = cv2.imencode(suffix, cv2.cvtColor(pixels, order), options)
    if not is_written:
        raise RuntimeError(f"OpenCV wrote no {suffix} of {pixels.shape[1]}×{pixels.shape[0]} pixels")
    return data.tobytes()

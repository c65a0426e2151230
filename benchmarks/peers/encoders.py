"""Timings of encoders and decoders on 12 megapixels, one thread each, as JSON for `benchmarks.speed.codecs`."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pyvips
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from benchmarks.cost import cost
from benchmarks.photos import as_file
from benchmarks.running import made_up_photo
from model.pixels.color import photo_to_lightness
from service.api.formats import FORMATS
from service.codecs.decoding import decode
from service.codecs.encoding import encode

WIDTH, HEIGHT = 4000, 3000
QUALITY = 95
REPETITIONS = 2
OURS = "tintflow"

Pixels = NDArray[np.uint8]


def opencv(rgb: Pixels, suffix: str, *options: int) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def vips(rgb: Pixels, suffix: str, **options: Any) -> bytes:
    image = pyvips.Image.new_from_memory(rgb, WIDTH, HEIGHT, 3, "uchar").copy(interpretation="srgb")
    data: bytes = image.write_to_buffer(suffix, **options)
    return data


def encoders(rgb: Pixels) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Yield format, name and encoding function."""
    for file_format in FORMATS:
        yield file_format, OURS, partial(encode, rgb, None, file_format, QUALITY)
    yield "jpeg", "Pillow", partial(as_file, rgb, "JPEG", quality=QUALITY, subsampling="4:4:4")
    for level in (1, 3, 6):
        yield "png", f"Pillow, level {level}", partial(as_file, rgb, "PNG", compress_level=level)
    level_1 = (cv2.IMWRITE_PNG_COMPRESSION, 1)
    yield "png", "OpenCV, level 1, its defaults", partial(opencv, rgb, ".png", *level_1)
    for name in ("SUB", "UP", "AVG", "PAETH"):
        chosen = (cv2.IMWRITE_PNG_FILTER, getattr(cv2, f"IMWRITE_PNG_FILTER_{name}"))
        yield "png", f"OpenCV, level 1, filter {name}", partial(opencv, rgb, ".png", *level_1, *chosen)
    for method in (0, 2, 4):
        yield "webp", f"Pillow, method {method}", partial(as_file, rgb, "WEBP", quality=QUALITY, method=method)
    yield "webp", "OpenCV", partial(opencv, rgb, ".webp", cv2.IMWRITE_WEBP_QUALITY, QUALITY)
    yield "jpeg", "simplejpeg", partial(simplejpeg.encode_jpeg, rgb, QUALITY, "RGB", "444", fastdct=False)
    yield "jpeg", "pyvips", partial(vips, rgb, ".jpg", Q=QUALITY, subsample_mode="off")
    for level, name in ((1, "none"), (1, "sub"), (3, "sub")):
        yield "png", f"pyvips, level {level}, filter {name}", partial(vips, rgb, ".png", compression=level, filter=name)
    yield "webp", "pyvips, effort 0", partial(vips, rgb, ".webp", Q=QUALITY, effort=0)


def decode_by_pillow(data: bytes, mode: str | None = None) -> NDArray[np.uint8]:
    image = Image.open(BytesIO(data))
    return np.asarray(image if mode is None else image.convert(mode))


def decode_by_opencv(data: bytes) -> object:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def decoders(gray: bytes, colors: bytes) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Yield the file's kind, a name, and a decoding function; those `to lightness` return L*."""
    for kind, data, space in (("gray JPEG", gray, "GRAY"), ("color JPEG", colors, "RGB")):
        yield kind, OURS, partial(decode, data, WIDTH * HEIGHT)
        yield kind, "Pillow", partial(decode_by_pillow, data)
        yield kind, "OpenCV", partial(decode_by_opencv, data)
        yield kind, "simplejpeg", partial(simplejpeg.decode_jpeg, data, space)
    yield "gray JPEG to lightness", OURS, lambda: photo_to_lightness(decode(gray, WIDTH * HEIGHT).pixels)
    yield "gray JPEG to lightness", "through RGB", lambda: photo_to_lightness(decode_by_pillow(gray, "RGB"))


def main() -> None:
    """Print a row of JSON for each."""
    cv2.setNumThreads(1)
    colors = made_up_photo(WIDTH, HEIGHT, color=True)
    rgb = np.asarray(Image.open(BytesIO(made_up_photo(WIDTH, HEIGHT, file_format="PNG", color=True))))
    found: list[dict[str, object]] = []
    for file_format, name, call in encoders(rgb):
        spent = cost(call, repetitions=REPETITIONS)
        data = call()
        error = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(np.float32) - rgb
        mean = float(np.square(error).mean())
        decibel = 10 * np.log10(255**2 / mean) if mean else None
        row = {"what": f"encode {file_format}", "name": name, "seconds": spent.seconds}
        found.append(row | {"megabytes": len(data) / 1e6, "decibel": decibel})
    for kind, name, decoding in decoders(made_up_photo(WIDTH, HEIGHT), colors):
        spent = cost(decoding, repetitions=REPETITIONS)
        found.append({"what": f"decode {kind}", "name": name, "seconds": spent.seconds})
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

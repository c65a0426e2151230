"""Odd files, decompression bombs and slow files through the HTTP interface: answers and costs."""

import struct
import sys
import zlib
from collections.abc import Callable
from unittest.mock import Mock

import pytest
from PIL import Image, ImageChops, ImageCms, PngImagePlugin
from PIL.ExifTags import Base

from service.codecs.decoding import decode
from service.errors import UndecodableImageError
from tests.service.files import BOMB_BYTES, COLORS, SRGB, chunk, encoded, opened, png, tiff
from tests.service.problems import assert_problem

SIZE = COLORS.size
PIXELS = chunk(b"IDAT", zlib.compress(bytes(24 * 41)))
"""Pixels of a gray PNG of this size"""
PNG = {"Accept": "image/png"}
BROKEN = (
    r"^reference: the PNG file (ends too early|is broken, or of a kind that is not supported; save it as gray or RGB)"
)


def with_exif(content: bytes) -> bytes:
    """Return a JPEG with this EXIF content."""
    return encoded(COLORS, "JPEG", exif=b"Exif\0\0" + content)


def grey_tiff(width: int, height: int, compression: int = 1, bits: tuple[int, int, int] = (3, 1, 8)) -> bytes:
    """Return a gray TIFF in one strip; large ones lack most pixels. bits: entry of BitsPerSample."""
    entries = {
        256: (4, 1, width), 257: (4, 1, height), 258: bits, 259: (3, 1, compression), 262: (3, 1, 1),
        277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, min(width * height, 10_000)),
    }  # fmt: skip
    entries[273] = (4, 1, 8 + 2 + 12 * (len(entries) + 1) + 4)
    return tiff(entries, bytes(min(width * height, 10_000)))


def gif(screen: tuple[int, int], frame: tuple[int, int], disposal: int = 0) -> bytes:
    """Return a GIF with one frame on a screen of another size, without its pixels."""
    control = b"\x21\xf9\x04" + bytes([disposal << 2, 0, 0, 0, 0])
    palette = bytes(6)
    header = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + palette
    return header + control + b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00;"


def bmp(width: int, height: int, bits: int, compression: int, pixels: bytes, announced_colors: int = 0) -> bytes:
    start = 54 + (4 * 2**bits if bits <= 8 else 0)
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, announced_colors, 0
    )
    return (b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header).ljust(start, b"\0") + pixels


def patched(data: bytes, before: bytes, after: bytes) -> bytes:
    assert data.count(before) >= 1, "nothing there to be changed"
    return data.replace(before, after)


def animated(file_format: str, frames: int = 300) -> bytes:
    first, *others = (ImageChops.offset(COLORS, i) for i in range(frames))
    return encoded(first, file_format, save_all=True, append_images=others, duration=10)


def jpeg_of_size(height: int, width: int) -> bytes:
    return patched(encoded(COLORS.convert("L"), "JPEG"), struct.pack(">HH", 24, 40), struct.pack(">HH", height, width))


def without_tables() -> bytes:
    data = encoded(COLORS.convert("L"), "JPEG")
    return data[:2] + data[data.index(b"\xff\xc0") :]


def of_huge_size(file_format: str) -> bytes:
    size = b"ispe" + bytes(4)
    before, after = struct.pack(">II", 64, 64), struct.pack(">II", 2**15, 2**15)
    return patched(encoded(COLORS.resize((64, 64)), file_format), size + before, size + after)


def icc(profile: bytes, mode: str = "RGB", file_format: str = "JPEG") -> bytes:
    return encoded(COLORS.convert(mode), file_format, icc_profile=profile)


def zeroed(start: int, stop: int) -> bytes:
    return SRGB[:start] + bytes(stop - start) + SRGB[stop:]


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "GIF of 300 frames": lambda: animated("GIF"),
    "APNG of 300 frames": lambda: animated("PNG"),
    "WebP of 300 frames": lambda: animated("WEBP"),
    "AVIF of 300 frames": lambda: animated("AVIF"),
    "TIFF of pages of other sizes": lambda: encoded(
        COLORS, "TIFF", save_all=True, append_images=[COLORS.resize((400, 300))] * 30
    ),
    "HEIF of 20 photos": lambda: animated("HEIF", 20),
    "MPO": lambda: encoded(COLORS, "MPO", save_all=True, append_images=[COLORS.resize((80, 48))]),
    "YCbCr TIFF in JPEG": lambda: encoded(COLORS.convert("YCbCr"), "TIFF", compression="jpeg"),
    "1 bit TIFF of a fax": lambda: encoded(COLORS.convert("1"), "TIFF", compression="group4"),
    "palette with transparency": lambda: encoded(COLORS.convert("P"), "PNG", transparency=bytes(range(200))),
    "palette of one colour": lambda: encoded(COLORS.quantize(1), "PNG"),
    "JPEG with bytes behind its end": lambda: encoded(COLORS, "JPEG") + bytes(range(256)) * 40,
    "PNG with bytes behind its end": lambda: encoded(COLORS, "PNG") + b"PK\x03\x04" + bytes(1000),
    "PNG with unknown chunks": lambda: png(*SIZE, chunk(b"abCd", bytes(99)), PIXELS),
    "JPEG with garbage for EXIF": lambda: with_exif(bytes(range(256))),
    "JPEG with EXIF that is nowhere": lambda: with_exif(b"MM\0*\xff\xff\xff\xff"),
    "JPEG with EXIF that holds itself": lambda: with_exif(tiff({0x8769: (4, 1, 8), 0xA005: (4, 1, 8)})),
    "JPEG with EXIF of four thousand million values": lambda: with_exif(
        tiff({270: (2, 2**32 - 1, 8), 0x8769: (13, 2**31, 2**32 - 1)})
    ),
    "JPEG with an orientation of 99": lambda: with_exif(tiff({Base.Orientation: (3, 1, 99)})),
    "JPEG with an orientation in words": lambda: with_exif(tiff({Base.Orientation: (2, 3, ord("6"))})),
    "JPEG with a fraction for its orientation": lambda: with_exif(tiff({Base.Orientation: (5, 1, 8)})),
    "JPEG with an ICC profile without a size": lambda: icc(zeroed(0, 4)),
    "JPEG with an ICC profile without tags": lambda: icc(zeroed(128, 400)),
    "grey PNG with an ICC profile for colours": lambda: icc(SRGB, "L", "PNG"),
    "CMYK JPEG with an ICC profile for RGB": lambda: icc(SRGB, "CMYK"),
    "PNG with more pixels than it says": lambda: png(*SIZE, chunk(b"IDAT", zlib.compress(bytes(50_000_000), 9))),
    "1 pixel": lambda: encoded(COLORS.resize((1, 1)), "PNG"),
    "1 row": lambda: encoded(COLORS.resize((5000, 1)), "PNG"),
    "1 column": lambda: encoded(COLORS.resize((1, 5000)), "PNG"),
}  # fmt: skip
SIZES = {"1 pixel": (1, 1), "1 row": (5000, 1), "1 column": (1, 5000)}

OF_OTHER_TYPES: dict[str, Callable[[], bytes]] = {
    "JPEG 2000": lambda: encoded(COLORS, "JPEG2000"),
    "PSD": lambda: b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 24, 40, 8, 3) + bytes(12) + bytes(3 * 24 * 40),
    "SVG that names a file": lambda: b'<svg><image href="file:///etc/hostname"/></svg>',
    "ICO": lambda: encoded(COLORS.convert("RGBA").resize((32, 32)), "ICO"),
    "PDF": lambda: encoded(COLORS, "PDF"),
    "EPS": lambda: encoded(COLORS, "EPS"),
    "MP4": lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200),
    "zeros": lambda: bytes(10_000),
}

REFUSED: dict[str, Callable[[], bytes]] = {
    "PNG of 0 rows": lambda: png(40, 0, chunk(b"IDAT", zlib.compress(b""))),
    "PNG of 0 columns": lambda: png(0, 10),
    "PNG of 2³¹−1 by 2³¹−1": lambda: png(2**31 - 1, 2**31 - 1, chunk(b"IDAT", b"")),
    "PNG of 4 thousand million rows": lambda: png(1, 2**32 - 1, chunk(b"IDAT", b"")),
    "PNG of 17 bits": lambda: png(*SIZE, PIXELS, bits=17),
    "PNG without pixels": lambda: png(*SIZE),
    "PNG of text alone": lambda: png(*SIZE, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000), 9))] * 200),
    "PNG with a bomb for an ICC profile": lambda: png(
        *SIZE, chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(50_000_000), 9)), PIXELS
    ),
    "PNG with text that swells": lambda: png(*SIZE, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))),
    "GIF of 0 by 0": lambda: gif((0, 0), (0, 0)),
    "GIF whose frame is larger than its screen": lambda: gif((10, 10), (65_535, 65_535)),
    "GIF that is to be restored at full size": lambda: gif((10, 10), (65_535, 65_535), disposal=2),
    "GIF of the largest screen": lambda: gif((65_535, 65_535), (1, 1), disposal=2),
    "BMP of a negative width": lambda: bmp(-40, 24, 24, 0, bytes(3 * 40 * 24)),
    "BMP of −2³¹ rows": lambda: bmp(40, -(2**31), 24, 0, bytes(3 * 40 * 24)),
    "BMP of 2³¹−1 by 2³¹−1": lambda: bmp(2**31 - 1, 2**31 - 1, 8, 1, bytes(100)),
    "BMP of four thousand million colours": lambda: bmp(40, 24, 8, 0, bytes(960), announced_colors=2**32 - 1),
    "TIFF of no entries": lambda: tiff({}),
    "TIFF whose directory follows itself": lambda: tiff({256: (4, 1, 40)}, following=8),
    "TIFF of 65,535 by 65,535": lambda: grey_tiff(65_535, 65_535),
    "TIFF of an unknown compression": lambda: grey_tiff(40, 24, compression=999),
    "TIFF in a JPEG that is none": lambda: grey_tiff(40, 24, compression=7),
    "JPEG of 65,500 by 65,500": lambda: jpeg_of_size(65_500, 65_500),
    "JPEG without tables": without_tables,
    "JPEG of 0 by 0": lambda: jpeg_of_size(0, 0),
    "AVIF of 32,768 by 32,768": lambda: of_huge_size("AVIF"),
    "HEIF of 32,768 by 32,768": lambda: of_huge_size("HEIF"),
    "AVIF that ends after its header": lambda: encoded(COLORS, "AVIF")[:200],
    "WebP of 16,383 by 16,383": lambda: patched(
        encoded(COLORS, "WEBP", lossless=True), struct.pack("<I", 39 | 23 << 14), struct.pack("<I", 0x0FFFFFFF)
    ),
}  # fmt: skip

EITHER: dict[str, Callable[[], bytes]] = {
    "TIFF of four thousand million values": lambda: grey_tiff(40, 24, bits=(3, 2**32 - 1, 8)),
    "BMP whose runs jump about": lambda: bmp(5000, 5000, 8, 1, b"\0\x02\xff\xff" * 20_000),
    "BMP of runs of one pixel": lambda: bmp(5000, 5000, 8, 1, b"\x01\x07" * 1_000_000),
    "TIFF whose strips are all one": lambda: grey_tiff(5000, 5000),
    "GIF of a screen without a frame": lambda: gif((7000, 7000), (1, 1)),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_odd_but_a_photo(service, name: str) -> None:
    answer = service.post(ACCEPTED[name](), PNG, n=1)
    assert answer.status_code == 200, answer.text
    assert opened(answer.content).size == SIZES.get(name, SIZE)


@pytest.mark.parametrize("name", OF_OTHER_TYPES)
def test_files_of_other_types_get_415(service, name: str) -> None:
    assert_problem(service.post(OF_OTHER_TYPES[name](), PNG, n=1), 415, "unsupported_image_type")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_little_cost(service, name: str) -> None:
    data = REFUSED[name]()
    with service.extra_memory() as extra:
        answer = service.post(data, PNG, n=1)
        assert answer.status_code in (413, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert extra() < BOMB_BYTES


@pytest.mark.parametrize("name", EITHER)
def test_answered_one_way_or_the_other(service, name: str) -> None:
    answer = service.post_to("/v1/likelihoods", EITHER[name]())  # cheaper for the fake than colorings
    assert answer.is_success or answer.json()["code"] in ("undecodable_image", "decoding_limit"), answer.text


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone limits what a process takes")
@pytest.mark.usefixtures("slow_files")
def test_one_that_stalls_is_given_up(start, grey_png, monkeypatch) -> None:
    monkeypatch.setattr("service.codecs.sandbox.PATIENCE", 500)  # on a busy machine, a decoder starts slowly
    service = start(decode_seconds=0.2)
    assert_problem(service.post(b"slow", PNG, n=1), 422, "decoding_limit")
    assert service.post(grey_png).status_code == 200  # another decoder took its place


@pytest.mark.parametrize(
    "error",
    [
        *(TypeError, ValueError, SyntaxError, KeyError, IndexError, RuntimeError, struct.error, AttributeError),
        *(EOFError, OSError, OverflowError, ZeroDivisionError, NotImplementedError, RecursionError, UnicodeError),
        *(zlib.error, Image.DecompressionBombError, ImageCms.PyCMSError),
    ],
)
@pytest.mark.parametrize("step", ["open", "load"])
def test_whatever_a_decoder_raises(monkeypatch, grey_png, error: type[Exception], step: str) -> None:
    """Broken files make decoders raise all of these errors; each is reported as a fault of the file."""
    fail = Mock(side_effect=error("from within a decoder"))
    monkeypatch.setattr(*((Image, "open") if step == "open" else (PngImagePlugin.PngImageFile, "load")), fail)
    with pytest.raises(UndecodableImageError, match=BROKEN):
        decode(grey_png, 10**6, "reference")

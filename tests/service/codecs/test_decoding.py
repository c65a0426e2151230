"""Decoding of every format and mode to the right pixels, and of every broken file to an error of the service."""

import re
import struct
import zlib
from itertools import product

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from service.codecs.decoding import decode
from service.codecs.webp import webp_size
from service.errors import TooManyPixelsError, UndecodableImageError
from tests.service.files import COLORS, SRGB, chunk, encoded, icc_profile, png, random_image, swapped_srgb, tiff

MAX_PIXELS = 1_000_000
LOSSY_LEVELS = 12  # a smooth ramp at a good quality; a wrong mode or order of bytes is off by more
LINEAR_MIDDLE = 188  # sRGB encoding of linear light 128/255


@pytest.mark.parametrize(
    ("file_format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, LOSSY_LEVELS),
        ("JPEG", {"quality": 95, "progressive": True}, LOSSY_LEVELS),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, LOSSY_LEVELS),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("BMP", {}, 0),
        ("AVIF", {"quality": 95}, LOSSY_LEVELS),
        ("HEIF", {"quality": 95}, LOSSY_LEVELS),
    ],
)
def test_colour_of_each_format(file_format: str, options: dict[str, object], tolerance: int) -> None:
    data = encoded(COLORS, file_format, **options)
    with pytest.raises(TooManyPixelsError, match="40×24"):
        decode(data, 40 * 24 - 1)
    photo = decode(data, 40 * 24)
    assert (photo.width, photo.height, photo.alpha) == (40, 24, None)
    np.testing.assert_allclose(photo.pixels.astype(int), COLORS, atol=tolerance)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("gamma", [None, 1.0])
def test_16_bit_png_with_alpha_keeps_its_bits_and_profile(orientation: int, gamma: float | None) -> None:
    levels = np.linspace(0, 65_535, 40 * 24).round().astype(np.uint16).reshape(24, 40)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.dstack((levels, levels[::-1])))
    profile = icc_profile("GRAY", gamma) if gamma else None
    chunks = [chunk(b"iCCP", b"gray\0\0" + zlib.compress(profile))] if profile else []
    chunks += [chunk(b"eXIf", tiff({Base.Orientation: (3, 1, orientation)})), chunk(b"IDAT", zlib.compress(rows))]
    photo = decode(png(40, 24, *chunks, bits=16, color=4), 1000)
    alone = decode(encoded(Image.fromarray(levels), "PNG", icc_profile=profile), MAX_PIXELS).pixels
    assert photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(photo.pixels, UPRIGHT[orientation](alone))
    np.testing.assert_array_equal(photo.alpha, UPRIGHT[orientation](levels[::-1] >> 8))


OUTSIDE = np.array([[-0.01, 0.0, 0.5, 1.0, 1.3]], np.float32)
"""Floats a little below black and above white."""


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.array([[0, 100, 255]], np.int32), 255),
        (np.array([[0, 500_000, 1_000_000]], np.int32), 1_000_000),
        (np.array([[0.0, 300.0, 60_000.0]], np.float32), 65_535),
        (np.array([[0.0, 0.5, 1.0, 9.0]], np.float32), 1),  # with a highlight, such as a lamp
        (np.array([[-np.inf, 0.5, 1.0, np.inf]], np.float32), 1),
        (np.array([[100.0, 200.0, np.inf]], np.float32), 255),
        (np.array([[0.0, 500_000.0, 1_000_000.0, np.inf]], np.float32), 1_000_000),
        (np.full((2, 2), np.inf, np.float32), 1),
        *((part * white, white) for part in (OUTSIDE, OUTSIDE[:, 1:], OUTSIDE[:, :-1]) for white in (1.0, 255.0)),
    ],
)
def test_wide_grey_is_scaled_and_only_floats_are_clipped(values: np.ndarray, white: float) -> None:
    photo = decode(encoded(Image.fromarray(values), "TIFF"), MAX_PIXELS)
    assert photo.pixels.dtype == np.uint16
    np.testing.assert_allclose(photo.pixels / 65_535, (values / white).clip(0, 1), atol=1 / 65_535)


RED = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
WHITE = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 128, 128)])


@pytest.mark.parametrize(
    ("file_format", "image", "pixels", "tolerance"),
    [
        ("TIFF", Image.fromarray(np.array([[-1.0, 0.0, 1.0, np.nan]], np.float32)), [[0, 32_768, 65_535, 32_768]], 0),
        ("TIFF", Image.fromarray(np.full((2, 2), -5, np.int32)), np.zeros((2, 2)), 0),
        ("PNG", Image.fromarray(np.eye(8, dtype=bool)), 255 * np.eye(8), 0),
        ("JPEG", RED, np.full((16, 16, 3), [255, 0, 0]), LOSSY_LEVELS),
        ("TIFF", RED, np.full((16, 16, 3), [255, 0, 0]), LOSSY_LEVELS),
        ("TIFF", COLORS.convert("YCbCr"), COLORS, 3),  # rounding of Cb and Cr, times up to 1.8, twice
        ("TIFF", WHITE, np.full((4, 4, 3), 255), 1),  # lcms rounds white by at most a level
    ],
    ids=["floats", "constant", "1 bit", "CMYK JPEG", "CMYK TIFF", "YCbCr", "Lab"],
)
def test_other_modes(file_format: str, image: Image.Image, pixels: np.ndarray, tolerance: int) -> None:
    photo = decode(encoded(image, file_format), MAX_PIXELS)
    np.testing.assert_allclose(photo.pixels.astype(int), pixels, atol=tolerance)


def test_palette() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    for file_format in ("PNG", "GIF", "TIFF", "BMP"):
        photo = decode(encoded(image, file_format), MAX_PIXELS)
        np.testing.assert_array_equal(photo.pixels, [[[10, 20, 30], [200, 100, 50]]])
        assert photo.alpha is None
    for file_format in ("PNG", "GIF"):
        photo = decode(encoded(image, file_format, transparency=1), MAX_PIXELS)
        np.testing.assert_array_equal(photo.alpha, [[255, 0]])


@pytest.mark.parametrize(
    ("bits", "compression", "row"),
    [(8, 0, b"\0\1\1\0"), (4, 0, b"\x01\x10\0\0"), (8, 1, b"\1\0\2\1\1\0\0\1"), (1, 0, b"\x60\0\0\0")],
    ids=["8 bits", "4 bits", "runs of 8 bits", "1 bit"],
)
def test_bmp_whose_palette_is_black_and_white(bits: int, compression: int, row: bytes) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, bits, compression, len(row), 0, 0, 2, 0)
    data = b"BM" + struct.pack("<IHHI", 62 + len(row), 0, 0, 62) + header + bytes(4) + b"\xff\xff\xff\0" + row
    np.testing.assert_array_equal(decode(data, MAX_PIXELS).pixels, [[0, 255, 255, 0]])


@pytest.mark.parametrize(("file_format", "mode"), [("PNG", "LA"), ("PNG", "RGBA"), ("WEBP", "RGBA"), ("TIFF", "RGBA")])
def test_alpha_is_kept(grey_photo: Image.Image, file_format: str, mode: str) -> None:
    image = grey_photo.convert(mode)
    image.putalpha(Image.fromarray(255 - np.asarray(grey_photo)))
    photo = decode(encoded(image, file_format, **({"lossless": True} if file_format == "WEBP" else {})), MAX_PIXELS)
    assert photo.pixels.ndim == (2 if mode == "LA" else 3)
    np.testing.assert_array_equal(photo.alpha, 255 - np.asarray(grey_photo))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_that_hides_nothing_or_all_is_none(grey_photo: Image.Image, mode: str, level: int) -> None:
    image = grey_photo.convert(mode)
    image.putalpha(level)
    assert decode(encoded(image), MAX_PIXELS).alpha is None


@pytest.mark.parametrize(
    ("array", "key"),
    [
        (np.array([[0, 7, 255]], np.uint8), 7),
        (np.array([[0, 700, 65_535]], np.uint16), 700),
        (np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], np.uint8), (4, 5, 6)),
    ],
)
def test_png_colour_that_means_transparent(array: np.ndarray, key: int | tuple[int, ...]) -> None:
    photo = decode(encoded(Image.fromarray(array), "PNG", transparency=key), MAX_PIXELS)
    np.testing.assert_array_equal(photo.alpha, [[255, 0, 255]])
    np.testing.assert_array_equal(photo.pixels, array)


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.T,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].T,
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize(
    ("file_format", "orientation"),
    [*product(["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "HEIF"], UPRIGHT), ("BMP", 1), ("GIF", 1)],  # these have no EXIF
)
def test_gray_stays_gray_and_exif_turns_it(grey_photo: Image.Image, file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode(encoded(grey_photo, file_format, exif=exif.tobytes()), MAX_PIXELS)
    assert photo.pixels.ndim == 2 or file_format in ("WEBP", "AVIF", "HEIF")  # whose colors are lossy
    gray = photo.pixels if photo.pixels.ndim == 2 else photo.pixels[..., 1]
    expected = UPRIGHT[orientation](np.asarray(grey_photo))
    np.testing.assert_allclose(gray.astype(int), expected, atol=LOSSY_LEVELS)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("tags", [{}, {Base.Make: "maker"}, {Base.Orientation: 3}], ids=str)
def test_orientation_in_xmp_turns_nothing(grey_photo: Image.Image, file_format: str, tags: dict) -> None:
    """Browsers and viewers use only EXIF."""
    xmp, exif, text = b'<rdf:Description tiff:Orientation="6"/>', Image.Exif(), PngInfo()
    exif.update(tags)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    places = {"PNG": {"pnginfo": text}, "TIFF": {"tiffinfo": tags | {Base.XMLPacket: xmp}}}  # TIFF: EXIF's place, too
    options = {"exif": exif.tobytes() if tags else b""} | places.get(file_format, {"xmp": xmp})
    data = encoded(grey_photo, file_format, **options)
    assert b"tiff:Orientation" in data
    pixels = decode(data, MAX_PIXELS).pixels
    expected = UPRIGHT[tags.get(Base.Orientation, 1)](np.asarray(grey_photo))
    gray = pixels if pixels.ndim == 2 else pixels[..., 1]
    np.testing.assert_allclose(gray.astype(int), expected, atol=LOSSY_LEVELS)


def test_broken_exif_still_says_how_to_turn(grey_photo: Image.Image) -> None:
    """A fraction as the camera's name can be read, but not written."""
    exif = tiff({Base.Make: (5, 1, 8), Base.Orientation: (3, 1, 6)})
    photo = decode(encoded(grey_photo, "PNG", exif=exif), MAX_PIXELS)
    np.testing.assert_array_equal(photo.pixels, np.rot90(np.asarray(grey_photo), -1))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("space", ["GRAY", "RGB "])
@pytest.mark.parametrize("name", ["test", "GIMP built-in Linear sRGB"])
def test_icc_profile_of_linear_light(mode: str, space: str, name: str) -> None:
    image = Image.new(mode, (4, 4), (128,) * len(Image.new(mode, (1, 1)).getbands()))
    photo = decode(encoded(image, "PNG", icc_profile=icc_profile(space, 1.0, name)), MAX_PIXELS)
    unfit = space == "GRAY" and mode.startswith("RGB")  # a gray profile does not apply to colors
    np.testing.assert_allclose(photo.pixels.astype(int), 128 if unfit else LINEAR_MIDDLE, atol=1)  # lcms rounds


def test_icc_profile_of_16_bit_grey() -> None:
    levels = np.arange(0, 65_536, 64, dtype=np.uint16)[None, :]
    photo = decode(encoded(Image.fromarray(levels), "PNG", icc_profile=icc_profile("GRAY", 1.0)), MAX_PIXELS)
    linear = levels / 65_535
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    bright = linear > 0.02  # below, 8 bits are too coarse for a curve this steep, which real profiles do not have
    tolerance = 0.5 / 255 + 0.002  # the table's rounding, and the curve's distance from its chords
    np.testing.assert_allclose((photo.pixels / 65_535)[bright], srgb[bright], atol=tolerance)
    assert len(np.unique(photo.pixels)) > 512, "16 bits fell to 8"  # 8 bits would leave 256 at most


def test_profile_of_another_gamut_with_srgb_in_its_name() -> None:
    """Phones have such profiles: DCI-P3 D65 Gamut with sRGB Transfer. This one exchanges red and green."""
    photo = decode(encoded(COLORS, "PNG", icc_profile=swapped_srgb()), MAX_PIXELS)
    np.testing.assert_allclose(photo.pixels.astype(int), np.asarray(COLORS)[..., [1, 0, 2]], atol=1)  # lcms rounds


@pytest.mark.parametrize(
    "profile", [SRGB, b"nonsense", bytes(200), icc_profile("RGB ", 1.0)[:-30]], ids=["sRGB", "text", "zeros", "cut"]
)
def test_srgb_and_broken_profiles_change_nothing(profile: bytes) -> None:
    photo = decode(encoded(COLORS, "PNG", icc_profile=profile), MAX_PIXELS)
    np.testing.assert_array_equal(photo.pixels, COLORS)


GAMMA = chunk(b"gAMA", struct.pack(">I", 100_000))
"""Linear light."""


@pytest.mark.parametrize(("bits", "color", "channels"), [(8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 4, 2), (8, 6, 4)])
def test_gamma_of_a_png(bits: int, color: int, channels: int) -> None:
    levels = np.arange(256).reshape(16, 16) * (1 if bits == 8 else 257)
    rows = np.dstack([levels] * channels).astype(f">u{bits // 8}").reshape(16, -1)
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    photo = decode(png(16, 16, GAMMA, pixels, bits=bits, color=color), 1_000)
    light = levels / levels.max()
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * levels.max()
    gray = photo.pixels if photo.pixels.ndim == 2 else photo.pixels[..., 1]
    np.testing.assert_allclose(gray.astype(int), expected, atol=0.51)  # rounding
    np.testing.assert_array_equal(photo.alpha, None if color in (0, 2) else levels // (levels.max() // 255))


LIKE_SRGB = [[chunk(b"gAMA", struct.pack(">I", gamma))] for gamma in (0, 45_000, 45_455)]
OVERRULED = [[GAMMA, better] for better in (chunk(b"sRGB", b"\0"), chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(SRGB)))]
OVERRULED += [[GAMMA, chunk(b"cICP", bytes((1, 13, 0, 1)))]]


@pytest.mark.parametrize("chunks", LIKE_SRGB + OVERRULED, ids=["none", "0.45", "0.45455", "sRGB", "iCCP", "cICP"])
def test_gamma_of_a_png_that_is_like_srgb_or_overruled(chunks: list[bytes]) -> None:
    pixels = chunk(b"IDAT", zlib.compress(bytes([0, 0, 9, 99, 255])))
    assert decode(png(4, 1, *chunks, pixels), 100).pixels.tolist() == [[0, 9, 99, 255]]


@pytest.mark.parametrize("file_format", ["GIF", "TIFF", "WEBP", "PNG", "AVIF"])
def test_first_frame_of_several(file_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((200, 200, 200), (20, 20, 20))]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decode(data, MAX_PIXELS).pixels.astype(int), 200, atol=LOSSY_LEVELS)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF"])
def test_truncated_file(file_format: str) -> None:
    data = encoded(random_image(64, 64, 3), file_format)
    said = "ends too early" if file_format in ("JPEG", "PNG", "BMP", "GIF") else None  # other decoders do not say so
    with pytest.raises(UndecodableImageError, match=said):
        decode(data[: len(data) // 2], MAX_PIXELS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_jpeg_that_lacks_its_end_marker_alone(mode: str, options: dict, cut: int) -> None:
    jpeg = encoded(COLORS.convert(mode), "JPEG", **options)
    photo = decode(jpeg[: len(jpeg) - cut], MAX_PIXELS)
    np.testing.assert_array_equal(photo.pixels, decode(jpeg, MAX_PIXELS).pixels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_blocks": 1},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1},
        {"restart_marker_rows": 1, "progressive": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_that_lacks_a_little_more_is_refused(mode: str, options: dict) -> None:
    jpeg = encoded(random_image(64, 64, 3).convert(mode), "JPEG", **options)
    restarts = [len(jpeg) - each.start() for each in re.finditer(rb"\xff[\xd0-\xd7]", jpeg)]
    for cut in [*range(5, 40), 1000, *restarts]:
        for room in (b"", bytes(10_000)):  # such as a broken download leaves
            with pytest.raises(UndecodableImageError):
                decode(jpeg[:-cut] + room, MAX_PIXELS)


@pytest.mark.parametrize(("mode", "lossless", "kind"), [("RGB", 0, b"VP8 "), ("RGB", 1, b"VP8L"), ("RGBA", 0, b"VP8X")])
def test_size_of_webp(mode: str, lossless: int, kind: bytes) -> None:
    data = encoded(Image.new(mode, (16_000, 300)), "WEBP", lossless=bool(lossless), method=0)
    assert data[12:16] == kind
    assert webp_size(data) == (16_000, 300)
    assert webp_size(data[:29]) is None


def test_size_of_webp_is_judged_before_room_is_made() -> None:
    data = encoded(Image.new("RGBA", (4, 4)), "WEBP")
    side = (16_383 - 1).to_bytes(3, "little")
    with pytest.raises(TooManyPixelsError, match="16383×16383"):
        decode(data[:24] + side + side + data[30:], 50_000_000)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_level_of_a_grey_png_of_few_bits(bits: int) -> None:
    top = 2**bits - 1
    rows = bytes([0, top << (8 - bits), 0, 0])  # one white pixel, and one black one below
    chunks = chunk(b"tRNS", struct.pack(">H", top)), chunk(b"IDAT", zlib.compress(rows))
    photo = decode(png(1, 2, *chunks, bits=bits), 100)
    assert photo.pixels.tolist() == [[255], [0]]
    assert photo.alpha.tolist() == [[0], [255]]

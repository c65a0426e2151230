"""Decoding of TIFFs with 8 to 64 bits in either byte order."""

import struct
import zlib
from io import BytesIO
from itertools import accumulate, product

import numpy as np
import pytest
from PIL import Image, TiffTags
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import II, MM, ImageFileDirectory_v2

from service.codecs.decoding import decode
from service.errors import UndecodableImageError
from tests.service.files import COLORS, encoded, icc_profile, opened

DEFLATE = 8
GRAY_WHITE_IS_ZERO, GRAY, RGB, YCBCR, LAB = 0, 1, 2, 6, 8
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
LAYOUTS = list(product("<>", (False, True)))
"""Byte orders, and whether the strips are packed"""
LEVELS = np.linspace(0, 65_535, 40 * 24).round().reshape(24, 40)
BYTES = (LEVELS / 257).astype(np.uint8)
"""The same of 8 bits"""


def stored(levels: np.ndarray, photometric: int, white: int = 65_535) -> np.ndarray:
    """Return levels as stored in a file of this kind."""
    return white - levels if photometric == GRAY_WHITE_IS_ZERO else levels


def tiff(
    planes: list[np.ndarray],
    photometric: int = GRAY,
    order: str = "<",
    packs: bool = False,
    extras: tuple[int, ...] = (),
    bits: int | None = None,
    orientation: int = 1,
    is_big: bool = False,
) -> bytes:
    """Return a TIFF of 40 × 24 pixels, a strip per plane. extras: kinds of the last channels. bits: default array's.

    is_big: with addresses of 64 bits, a BigTIFF.
    """
    strips = [plane.astype(plane.dtype.newbyteorder(order)).tobytes() for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if packs else strips
    count = 3 if photometric == YCBCR else max(len(strips), 1 + len(extras))
    dtype = planes[0].dtype
    directory = ImageFileDirectory_v2(b"II+" + bytes(13) if is_big else b"II*" + bytes(5), II if order == "<" else MM)
    directory.tagtype |= dict.fromkeys((273, 279), TiffTags.LONG8 if is_big else TiffTags.LONG)
    directory.update({256: 40, 257: 24, 258: (bits or 8 * dtype.itemsize,) * count, 259: DEFLATE if packs else 1})
    directory.update({262: photometric, 277: count, 278: 24, 279: tuple(map(len, strips))})
    directory.update({274: orientation, 284: 2 if len(strips) > 1 else 1, 339: ("uif".index(dtype.kind) + 1,) * count})
    directory[273] = tuple(accumulate(map(len, strips[:-1]), initial=0))  # counted from the directory's end when saved
    if extras:
        directory[338] = extras
    file = BytesIO()
    directory.save(file)
    return file.getvalue() + b"".join(strips)


@pytest.mark.parametrize(("order", "packs"), LAYOUTS)
@pytest.mark.parametrize(
    ("photometric", "number", "scale"),
    [
        *((GRAY_WHITE_IS_ZERO, "u2", 1), (GRAY, "u2", 1), (GRAY, "i4", 1), (GRAY, "u4", 1), (GRAY, "u4", 65_537)),
        *product((GRAY_WHITE_IS_ZERO, GRAY), ("f4", "f8"), (1 / 65_535, 255 / 65_535, 1)),
    ],
)
def test_gray_of_16_bits_and_more_keeps_16(
    photometric: int, number: str, scale: float, order: str, packs: bool
) -> None:
    samples = (stored(LEVELS, photometric) * scale).astype(number)
    photo = decode(tiff([samples], photometric, order, packs), 1_000)
    assert photo.pixels.dtype == np.uint16  # in this machine's order
    np.testing.assert_array_equal(photo.pixels, LEVELS)


@pytest.mark.parametrize("photometric", [GRAY_WHITE_IS_ZERO, GRAY])
@pytest.mark.parametrize("order", ["<", ">"])
def test_gray_of_12_bits_fills_the_scale(order: str, photometric: int) -> None:
    levels = np.rint(LEVELS / 65_535 * 4_095).astype(int)
    packed = bytes.fromhex("".join(f"{sample:03x}" for sample in stored(levels, photometric, 4_095).flat))
    photo = decode(tiff([np.frombuffer(packed, np.uint8)], photometric, order, bits=12), 1_000)
    np.testing.assert_allclose(photo.pixels.astype(int), levels * 65_535 / 4_095, atol=1)  # cut, not rounded


@pytest.mark.parametrize(("order", "packs"), LAYOUTS)
@pytest.mark.parametrize("number", ["i1", "i2"])
@pytest.mark.parametrize("is_stretched", [False, True])
def test_signed_gray_of_8_and_16_bits(is_stretched: bool, number: str, order: str, packs: bool) -> None:
    """Levels range from 0 or the smallest value to the largest."""
    least, most = np.iinfo(number).min if is_stretched else 0, np.iinfo(number).max
    samples = np.rint(least + LEVELS / 65_535 * (most - least)).astype(number)
    photo = decode(tiff([samples], GRAY, order, packs), 1_000)
    expected = (samples.astype(float) - least) / (most - least) * 65_535
    np.testing.assert_allclose(photo.pixels, expected, atol=0.51)  # rounding


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("others", [0, 1])
def test_planes_whose_lengths_and_kinds_are_not_told(others: int, bits: int, order: str) -> None:
    size = bits // 8
    channels = [LEVELS, LEVELS[::-1], LEVELS[:, ::-1], 0 * LEVELS][: 3 + others]
    planes = [(each // 256 ** (2 - size)).astype(f"u{size}") for each in channels]
    lengths = struct.pack(f"{order}{len(planes)}I", *(each.nbytes for each in planes))
    data = tiff(planes, RGB, order).replace(lengths, bytes(len(lengths)))
    assert lengths not in data
    np.testing.assert_array_equal(decode(data, 1_000).pixels, np.dstack(channels[:3]).astype(int) // 256)


@pytest.mark.parametrize(("order", "packs"), LAYOUTS)
@pytest.mark.parametrize("photometric", [GRAY_WHITE_IS_ZERO, GRAY])
@pytest.mark.parametrize("extra", [UNSPECIFIED, ASSOCIATED, UNASSOCIATED])
def test_gray_of_16_bits_with_another_channel(extra: int, photometric: int, order: str, packs: bool) -> None:
    """Alpha is kept, and a scanner's infrared channel is ignored."""
    gray, beside = LEVELS.astype(np.uint16), LEVELS[:, ::-1].astype(np.uint16)
    beside[0, 0] = 0
    written = stored(gray, photometric)
    if extra == ASSOCIATED:
        written = np.rint(written * (beside / 65_535))
    samples = np.stack([written, beside], axis=2).astype(np.uint16)
    photo = decode(tiff([samples], photometric, order, packs, (extra,)), 1_000)
    assert photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(photo.alpha, None if extra == UNSPECIFIED else beside >> 8)
    firm = beside > 0 if extra != ASSOCIATED else beside > 32_768  # below, a level of the product is several of gray
    np.testing.assert_allclose(photo.pixels[firm].astype(int), gray[firm], atol=2 if extra == ASSOCIATED else 0)


def test_alpha_of_16_bits_that_hides_nothing_is_none() -> None:
    samples = np.stack([LEVELS, np.full_like(LEVELS, 65_535)], axis=2).astype(np.uint16)
    assert decode(tiff([samples], extras=(UNASSOCIATED,)), 1_000).alpha is None


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("extras", [(UNASSOCIATED,), (UNSPECIFIED,), (UNASSOCIATED, UNSPECIFIED), (UNSPECIFIED,) * 2])
@pytest.mark.parametrize("photometric", [GRAY_WHITE_IS_ZERO, GRAY])
def test_gray_of_8_bits_with_other_channels(photometric: int, extras: tuple[int, ...], packs: bool) -> None:
    alpha = BYTES[::-1]
    samples = np.stack([stored(BYTES, photometric, 255), alpha, BYTES[:, ::-1]][: 1 + len(extras)], axis=2)
    photo = decode(tiff([samples], photometric, packs=packs, extras=extras), 1_000)
    np.testing.assert_array_equal(photo.pixels, BYTES)
    np.testing.assert_array_equal(photo.alpha, None if extras[0] == UNSPECIFIED else alpha)


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize(
    ("photometric", "bits", "extras"),
    [*product((GRAY_WHITE_IS_ZERO, GRAY), (8, 16), ((ASSOCIATED,), (UNASSOCIATED,))), (LAB, 8, ())],
)
def test_planes_that_pillow_misreads_are_refused(
    photometric: int, bits: int, extras: tuple[int, ...], packs: bool
) -> None:
    """Pillow reads planes of 16 bits as interleaved, alpha of 8 bits as 0, and a* and b* as unsigned."""
    planes = [np.zeros((24, 40), f"u{bits // 8}")] * (3 if photometric == LAB else 2)
    with pytest.raises(UndecodableImageError, match="has planes of a kind that is not supported; save its channels"):
        decode(tiff(planes, photometric, packs=packs, extras=extras), 1_000)


@pytest.mark.parametrize(("order", "packs"), LAYOUTS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extra", [ASSOCIATED, UNASSOCIATED])
def test_color_with_alpha_in_planes(extra: int, bits: int, order: str, packs: bool) -> None:
    channels = [LEVELS, LEVELS[::-1], LEVELS[:, ::-1], np.full_like(LEVELS, 32_896)]
    written = [channel // (2 if extra == ASSOCIATED else 1) for channel in channels[:3]] + channels[3:]
    planes = [(each // 256 ** (2 - bits // 8)).astype(f"u{bits // 8}") for each in written]
    photo = decode(tiff(planes, RGB, order, packs, (extra,)), 1_000)
    np.testing.assert_allclose(photo.pixels.astype(int), np.dstack(channels[:3]) // 256, atol=2)  # twice a half
    np.testing.assert_array_equal(photo.alpha, np.full(LEVELS.shape, 128))


def test_ycbcr_that_is_not_compressed() -> None:
    """Four levels of Y are stored with one Cb and one Cr."""
    blocks = BYTES.reshape(12, 2, 20, 2).transpose(0, 2, 1, 3).reshape(12, 20, 4)
    photo = decode(tiff([np.dstack((blocks, np.full((12, 20, 2), 128, np.uint8)))], YCBCR), 1_000)
    np.testing.assert_array_equal(photo.pixels, BYTES)


@pytest.mark.parametrize(
    ("number", "name"), [(34712, "JPEG 2000"), (50001, "WebP"), (50002, "JPEG XL"), (34887, "LERC"), (34933, "PNG")]
)
def test_a_compression_that_is_not_read_is_named(number: int, name: str) -> None:
    told, other = (struct.pack("<HHII", 259, 3, 1, compression) for compression in (DEFLATE, number))
    data = tiff([BYTES], packs=True).replace(told, other)
    with pytest.raises(UndecodableImageError, match=f"the TIFF file is compressed as {name}, which is not supported"):
        decode(data, 1_000)


def test_a_small_copy_of_the_photo_is_not_taken_for_it() -> None:
    """Raw files such as DNG and NEF are TIFFs that begin with a thumbnail."""
    files = []
    for kind, others in ((1, {}), ("no number", {Base.SubIFDs: 8}), (1, {Base.SubIFDs: 8})):
        tags = ImageFileDirectory_v2()
        tags.tagtype[Base.NewSubfileType] = TiffTags.LONG if kind == 1 else TiffTags.ASCII
        tags.update({Base.NewSubfileType: kind, **others})
        files.append(encoded(Image.fromarray(BYTES), "TIFF", tiffinfo=tags))
    alone, odd, raw = files
    for photo in (alone, odd):
        np.testing.assert_array_equal(decode(photo, 1_000).pixels, BYTES)
    with pytest.raises(UndecodableImageError, match="the TIFF file begins with a small copy of its photo"):
        decode(raw, 1_000)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("kinds", [(1, 0), (1, 1, 0), (0, 1), (1, 1)])
def test_the_first_page_that_is_no_small_copy_counts(kinds: tuple[int, ...], compression: str | None) -> None:
    pages = [Image.fromarray(BYTES[: 12 + i]) for i in range(len(kinds))]
    for page, kind in zip(pages, kinds, strict=True):
        page.encoderinfo = {"tiffinfo": {Base.NewSubfileType: kind}}
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=compression)
    chosen = kinds.index(0) if 0 in kinds else 0
    np.testing.assert_array_equal(decode(data, 1_000).pixels, pages[chosen])


def test_a_profile_of_a_small_copy_is_not_the_photos() -> None:
    small, photo = (Image.fromarray(BYTES) for _ in range(2))
    small.encoderinfo = {"tiffinfo": {Base.NewSubfileType: 1}, "icc_profile": icc_profile("GRAY", 1.0)}
    data = encoded(small, "TIFF", save_all=True, append_images=[photo])
    np.testing.assert_array_equal(decode(data, 1_000).pixels, photo)


@pytest.mark.parametrize(("order", "packs"), LAYOUTS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [GRAY_WHITE_IS_ZERO, GRAY, RGB])
@pytest.mark.parametrize("extras", [(), (UNSPECIFIED,)])
def test_planes_are_read_and_those_beside_colors_are_read_over(
    extras: tuple[int, ...], photometric: int, bits: int, order: str, packs: bool
) -> None:
    levels = LEVELS // 256 ** (2 - bits // 8)
    colors = [levels, levels[::-1], levels[:, ::-1]] if photometric == RGB else [levels]
    planes = [plane.astype(f"u{bits // 8}") for plane in [*colors, *(np.zeros_like(levels) for _ in extras)]]
    photo = decode(tiff(planes, photometric, order, packs, extras), 1_000)
    gray = stored(levels, photometric, 2**bits - 1)
    rgb = np.dstack(colors).astype(int) >> (bits - 8)
    np.testing.assert_array_equal(photo.pixels, rgb if photometric == RGB else gray)
    assert photo.alpha is None


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("scale", [1, 257])
def test_a_palette_of_8_bits_is_read_as_one_of_16(scale: int, compression: str | None) -> None:
    image = COLORS.quantize(256)
    data = encoded(image, "TIFF", compression=compression)
    colors = opened(data).tag_v2[Base.ColorMap]
    written, other = (struct.pack("<768H", *(level // 256 * times for level in colors)) for times in (256, scale))
    assert written in data
    np.testing.assert_array_equal(decode(data.replace(written, other), 1_000).pixels, image.convert("RGB"))


@pytest.mark.parametrize(("order", "packs"), LAYOUTS)
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("number", ["u1", "u2"])
def test_a_big_tiff_of_either_byte_order(order: str, number: str, packs: bool, orientation: int) -> None:
    levels = (LEVELS if number == "u2" else BYTES).astype(number)
    photo = decode(tiff([levels], GRAY, order, packs, orientation=orientation, is_big=True), 1_000)
    np.testing.assert_array_equal(photo.pixels, levels if orientation == 1 else np.rot90(levels, -1))

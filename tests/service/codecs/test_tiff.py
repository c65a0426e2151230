"""TIFFs of 12, 16 and 32 bits, of either byte order, come out as the pixels that they hold."""

import struct
import zlib

import numpy as np
import pytest

from service.codecs.decoding import decode

DEFLATE = 8
GRAY_WHITE_IS_ZERO, GRAY, RGB = 0, 1, 2
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
LEVELS = np.linspace(0, 65_535, 40 * 24).round().reshape(24, 40)


def tiff(
    planes: list[bytes], order: str, bits: int, photometric: int, kind: int = UNSIGNED, packs: bool = False
) -> bytes:
    """A TIFF of 40 × 24 pixels, each plane in a strip."""
    strips = [zlib.compress(plane) for plane in planes] if packs else planes
    starts = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    count = len(strips)
    fields = {256: [40], 257: [24], 258: [bits] * count, 259: [DEFLATE if packs else 1], 262: [photometric]}
    fields |= {273: starts, 277: [count], 278: [24], 279: list(map(len, strips)), 284: [2 if count > 1 else 1]}
    fields |= {339: [kind] * count}
    behind = 8 + sum(map(len, strips)) + 2 + 12 * len(fields) + 4
    directory, values = struct.pack(f"{order}H", len(fields)), b""
    for tag, numbers in fields.items():
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            values, packed = values + packed, struct.pack(f"{order}I", behind + len(values))
        directory += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + packed
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory_at = struct.pack(f"{order}I", 8 + sum(map(len, strips)))
    return magic + directory_at + b"".join(strips) + directory + bytes(4) + values


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_gray_of_16_bits_with_white_as_0(order: str, packs: bool) -> None:
    samples = (65_535 - LEVELS).astype(f"{order}u2")
    photo = decode(tiff([samples.tobytes()], order, 16, GRAY_WHITE_IS_ZERO, packs=packs), 1_000)
    np.testing.assert_array_equal(photo.pixels, LEVELS)


@pytest.mark.parametrize("photometric", [GRAY_WHITE_IS_ZERO, GRAY])
@pytest.mark.parametrize("order", ["<", ">"])
def test_gray_of_12_bits_fills_the_scale(order: str, photometric: int) -> None:
    levels = np.rint(LEVELS / 65_535 * 4_095).astype(int)
    samples = levels if photometric == GRAY else 4_095 - levels
    packed = bytes.fromhex("".join(f"{sample:03x}" for sample in samples.flat))
    photo = decode(tiff([packed], order, 12, photometric), 1_000)
    np.testing.assert_allclose(photo.pixels.astype(int), levels * 65_535 / 4_095, atol=1)  # cut, not rounded


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "number"), [(FLOAT, "f4"), (SIGNED, "i4")])
def test_wide_gray_of_either_byte_order(order: str, packs: bool, kind: int, number: str) -> None:
    samples = LEVELS.astype(f"{order}{number}")
    photo = decode(tiff([samples.tobytes()], order, 32, GRAY, kind, packs), 1_000)
    np.testing.assert_array_equal(photo.pixels, LEVELS)


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_color_of_16_bits_in_planes(order: str, packs: bool) -> None:
    channels = np.stack([LEVELS, LEVELS[::-1], LEVELS[:, ::-1]]).astype(f"{order}u2")
    photo = decode(tiff([channel.tobytes() for channel in channels], order, 16, RGB, packs=packs), 1_000)
    np.testing.assert_array_equal(photo.pixels, channels.transpose(1, 2, 0) >> 8)

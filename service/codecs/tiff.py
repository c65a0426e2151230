"""TIFFs that Pillow misreads or cannot read: over 8 bits, white as 0, big-endian, in planes."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImagePalette, TiffImagePlugin
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import COMPRESSION_INFO, II, MM, OPEN_INFO, PREFIXES, TiffImageFile

__all__ = ["ALPHA", "UnsupportedTiffError", "mend_levels", "openable", "prepare", "skip_small_copies"]

BIG_ENDIAN_BIG, FOR_PILLOW = b"MM\0\x2b", b"MM\x2b\0"
"""Start of a big-endian BigTIFF, and the start that Pillow expects: it reads the version from the third byte"""
PREFIXES.append(FOR_PILLOW)
TiffImagePlugin.READ_LIBTIFF = True  # Pillow's own decoder supports few kinds of planes and YCbCr

ALPHA = "alpha"
"""Key in `info` of the alpha (H, W) of gray images, 8 bits: Pillow has no mode of 16-bit gray with alpha"""
MAX_8, MAX_12, MAX_16 = 255, 4_095, 65_535
FLOATS_BELOW = 0.1
"""Maximum distance of floats below black, in units of white"""
FLOAT_WHITES = {1.0: 16.0, 255.0: 510.0, 65_535.0: 131_070.0}
"""Usual whites of floats, and the largest highlight of each. Lights reach several times a white of 1; a photo whose
white is 255, but that has nothing above 16, would be black."""
REDUCED = 1  # bit of NewSubfileType
MOST_SMALL_COPIES = 32
WHITE_IS_ZERO, BLACK_IS_ZERO, YCBCR = 0, 1, 6  # of PhotometricInterpretation
IN_PLANES = 2  # of PlanarConfiguration
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = range(3)
"""Values of ExtraSamples: no alpha, and alpha by which gray is multiplied or not"""
NATIVE = {"F;32BF": "F;32NF", "F;64BF": "F;64NF", "I;32B": "I;32N", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}
"""Big-endian raw modes, and the modes of libtiff's output, which has the machine's byte order"""

UNREADABLE = {
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    34661: "JBIG",
    34887: "LERC",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    **dict.fromkeys((50002, 52546), "JPEG XL"),
}
"""Compressions that Pillow cannot decode, though it opens files of those that it has a name for"""
COMPRESSION_INFO |= UNREADABLE

UNSIGNED, SIGNED, FLOAT, PLAIN = (1,), (2,), (3,), 1
OPEN_INFO |= {
    (MM, WHITE_IS_ZERO, UNSIGNED, PLAIN, (16,), ()): ("I;16", "I;16B"),
    (MM, BLACK_IS_ZERO, UNSIGNED, PLAIN, (32,), ()): ("I", "I;32B"),
}
for order, float_mode in ((II, "F;64F"), (MM, "F;64BF")):
    OPEN_INFO[order, BLACK_IS_ZERO, SIGNED, PLAIN, (8,), ()] = ("I", "I;8S")
    for photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        OPEN_INFO[order, photometric, UNSIGNED, PLAIN, (12,), ()] = ("I;16", "I;12")
        OPEN_INFO[order, photometric, FLOAT, PLAIN, (64,), ()] = ("F", float_mode)

WITH_EXTRAS = {
    (WHITE_IS_ZERO, (8, 8)): ("LA", "LA"),
    (WHITE_IS_ZERO, (8, 8, 8)): ("RGB", "RGB"),
    (BLACK_IS_ZERO, (8, 8, 8)): ("RGB", "RGB"),
    (WHITE_IS_ZERO, (16, 16)): ("I", "I;32N"),
    (BLACK_IS_ZERO, (16, 16)): ("I", "I;32N"),
}
"""Pillow modes that hold all bytes of a pixel, by the storage of gray and the bits of gray and extra channels"""
for (photometric, bits), modes in WITH_EXTRAS.items():
    for extra in (UNSPECIFIED, ASSOCIATED, UNASSOCIATED):
        extras = (extra, UNSPECIFIED)[: len(bits) - 1]
        OPEN_INFO |= {(order, photometric, UNSIGNED, PLAIN, bits, extras): modes for order in (II, MM)}


class UnsupportedTiffError(Exception):
    """An unsupported kind of TIFF. The text continues a sentence that begins with the file."""


def openable(data: bytes) -> bytes:
    """Return a file, changed if needed so that Pillow can open it."""
    return FOR_PILLOW + data[len(FOR_PILLOW) :] if data.startswith(BIG_ENDIAN_BIG) else data


def prepare(image: Image.Image, data: bytes) -> None:
    """Go to a TIFF's photo, past small copies, and set its byte order where Pillow loses it. Call before `load`.

    data: the original file, not the result of `openable`. Raises UnsupportedTiffError. Not thread-safe, since it
    changes Pillow's state.
    """
    if not isinstance(image, TiffImageFile):
        return
    if _is_reduced(image) and Base.SubIFDs in image.tag_v2:
        raise UnsupportedTiffError(
            "begins with a small copy of its photo, as raw files do; save the photo as TIFF or JPEG"
        )
    skip_small_copies(image)
    compression = image.info["compression"]
    if compression in UNREADABLE.values():
        raise UnsupportedTiffError(
            f"is compressed as {compression}, which is not supported; save it with LZW or Deflate"
        )
    if data.startswith(BIG_ENDIAN_BIG):
        image.fp = BytesIO(data)  # for libtiff, which accepts the original start
        exif = Image.Exif()  # Pillow does not find it in the file
        exif[Base.Orientation] = image.tag_v2.get(Base.Orientation, 1)
        image.info["exif"] = exif.tobytes()
    if image.tag_v2.get(Base.SamplesPerPixel, 1) == 1:  # a single plane
        image.tag_v2[Base.PlanarConfiguration] = 1
    in_planes = image.tag_v2.get(Base.PlanarConfiguration) == IN_PLANES
    if in_planes and (image.mode in ("LA", "La", "LAB") or (image.mode == "I" and _has_extras(image))):
        raise UnsupportedTiffError("has planes of a kind that is not supported; save its channels interleaved")
    is_plain = not in_planes or (image.mode in ("RGB", "RGBA") and Base.ExtraSamples not in image.tag_v2)
    if compression == "raw" and is_plain and image.tag_v2.get(Base.PhotometricInterpretation) != YCBCR:
        TiffImagePlugin.READ_LIBTIFF = False  # libtiff requires all strips, with their lengths
        try:
            image._setup()
        finally:
            TiffImagePlugin.READ_LIBTIFF = True
        if in_planes and 16 in image.tag_v2.get(Base.BitsPerSample, ()):  # Pillow keeps only the first letter
            order = ";16B" if image.tag_v2.prefix == MM else ";16L"
            _rename_raw_modes(image, lambda mode: mode + order)
    if image.mode == "P" and max(colors := image.tag_v2[Base.ColorMap]) <= MAX_8:  # of 8 bits, not of 16
        image.palette = ImagePalette.raw("RGB;L", bytes(colors))
    if image.use_load_libtiff:
        _rename_raw_modes(image, lambda mode: NATIVE.get(mode, mode))


def _rename_raw_modes(image: TiffImageFile, renamed: Callable[[str], str]) -> None:
    for i, tile in enumerate(image.tile):
        raw_mode, *rest = cast(tuple[Any, ...], tile.args)
        image.tile[i] = tile._replace(args=(renamed(raw_mode), *rest))


def skip_small_copies(image: Image.Image) -> None:
    """Go to the first page of a TIFF that is not a small copy of another, if there is one."""
    if not isinstance(image, TiffImageFile):
        return
    try:
        while _is_reduced(image) and image.tell() < MOST_SMALL_COPIES:
            image.info.pop("icc_profile", None)  # else the next page has it, too
            image.seek(image.tell() + 1)
    except (EOFError, TypeError):  # no further page, or not an image
        image.seek(0)


def _is_reduced(image: TiffImageFile) -> bool:
    kind = image.tag_v2.get(Base.NewSubfileType)
    return isinstance(kind, int) and bool(kind & REDUCED)


def mend_levels(image: Image.Image) -> Image.Image:
    """Convert a loaded gray TIFF of more than 8 bits to 16 bits with black as 0; return other images unchanged.

    Extra channels of gray are dropped, except alpha, which goes to `info` as ALPHA.
    """
    if not isinstance(image, TiffImageFile):
        return image
    is_negative = image.tag_v2.get(Base.PhotometricInterpretation) == WHITE_IS_ZERO
    if _has_extras(image):
        return _without_extras(image, is_negative)
    if image.mode in ("I", "F"):
        values: NDArray[Any] = np.asarray(image)
        is_unsigned = image.mode == "I" and image.tag_v2.get(Base.SampleFormat, UNSIGNED) == UNSIGNED
        top = MAX_16 if is_unsigned else 2 ** (image.tag_v2[Base.BitsPerSample][0] - 1) - 1
        levels = _scaled(values.view(np.uint32) if is_unsigned else values, top)
        return _like(image, MAX_16 - levels if is_negative else levels)
    if not image.mode.startswith("I;16"):
        return image
    scale = MAX_16 / MAX_12 if image.tag_v2.get(Base.BitsPerSample) == (12,) else 1.0
    offset = 0
    if is_negative:
        scale, offset = -scale, MAX_16
    return image if scale == 1 else image.point(lambda level: level * scale + offset)


def _has_extras(image: TiffImageFile) -> bool:
    """Say whether the image is one of WITH_EXTRAS. Of gray in planes, Pillow may have read only the first."""
    tags = image.tag_v2
    channels = tags.get(Base.SamplesPerPixel, 1)
    bits = (tags.get(Base.BitsPerSample, ()) * channels)[:channels]  # one value for all channels, or one for each
    mode, _ = WITH_EXTRAS.get((tags.get(Base.PhotometricInterpretation, WHITE_IS_ZERO), bits), (None, None))
    return image.mode == mode


def _without_extras(image: TiffImageFile, is_negative: bool) -> Image.Image:
    samples: NDArray[Any] = np.asarray(image)
    if image.mode == "I":  # libtiff's output has the machine's byte order; other samples keep the file's
        order = ">" if image.tag_v2.prefix == MM and image.info["compression"] == "raw" else "="
        samples = samples.view(f"{order}u2").astype(np.uint16).reshape(*samples.shape, 2)
    gray, beside = samples[..., 0], samples[..., 1]
    top = np.iinfo(samples.dtype).max
    extra = image.tag_v2[Base.ExtraSamples][0]
    if extra == ASSOCIATED and beside.any():
        wide = gray * np.uint32(top)
        wide //= np.maximum(beside, 1)
        gray = np.minimum(wide, top, out=wide).astype(samples.dtype)
    mended = _like(image, np.ascontiguousarray(top - gray if is_negative else gray))
    if extra != UNSPECIFIED:
        mended.info[ALPHA] = (beside >> 8 * (beside.itemsize - 1)).astype(np.uint8)
    return mended


def _scaled(values: NDArray[Any], top: int) -> NDArray[np.uint16]:
    """Convert wide or signed gray to 16 bits (Pillow's `convert("L")` would clip it).

    The file does not say which value is white. The smallest usual white that holds all values is taken (1 for floats,
    255, 65535, or `top`, a sample's maximum, if smaller); else the values are stretched. Floats are clipped: filters
    leave them a little below black, and highlights may lie above white, or be infinite. NaN counts as 0.
    """
    whites, below = {float(white): float(white) for white in (min(MAX_8, top), min(MAX_16, top))}, 0.0
    if values.dtype.kind == "f":
        whites, below = FLOAT_WHITES, FLOATS_BELOW
    values = np.nan_to_num(values.astype(np.float32), copy=False, posinf=np.inf, neginf=-np.inf)
    finite = np.isfinite(values)
    low, high = float(values.min(initial=np.inf, where=finite)), float(values.max(initial=-np.inf, where=finite))
    black, white = 0.0, next((white for white, most in whites.items() if high <= most), 0.0)
    if low < -below * white or not white:
        black, white = low, high
    span = (white - black) or 1.0  # all pixels equal
    return np.rint((values - black) * (MAX_16 / span)).clip(0, MAX_16).astype(np.uint16)


def _like(image: Image.Image, levels: NDArray[Any]) -> Image.Image:
    """Return an image of these levels, with the profile and other metadata of another."""
    mended = Image.fromarray(levels)
    mended.info = dict(image.info)
    return mended

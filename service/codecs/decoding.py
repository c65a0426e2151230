"""Decoding of uploaded files to pixels, or a clear error. Trusts neither the file nor its name."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any, cast

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    ImageOps,
    ImagePalette,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from service.api.formats import PHOTO_FORMATS
from service.codecs.decoded_photo import DecodedPhoto, Photo
from service.codecs.gamma import gamma_to_srgb, png_gamma
from service.codecs.jpeg import count_scans, load_without_end
from service.codecs.profiles import gray_to_srgb, to_srgb
from service.codecs.tiff import ALPHA, UnsupportedTiffError, mend_levels, openable, prepare
from service.codecs.webp import webp_size
from service.errors import DecodingLimitError, ImageTypeError, ServiceError, TooManyPixelsError, UndecodableImageError

__all__ = ["FORMATS", "MAX_SCANS", "decode", "forget_xmp"]

FORMATS = {"HEIF" if name == "HEIC" else name.upper(): name for name in PHOTO_FORMATS}
"""formats that the service reads: Pillow's name and the common name"""
READERS = AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin
"""Readers that FORMATS need besides those of `preinit`; `init` would import forty more, in every decoder"""
PREFIX_BYTES = 16  # as many as Pillow uses to identify a file
MAX_SCANS = 100
"""Maximum scans of a JPEG. Real ones have about ten; each costs as much as decoding the whole picture."""
PNG_BITS = 24  # offset of the bits per sample in a PNG
BMP_BITS = 28  # offset of the bits per pixel in a BMP
GRAY_AND_ALPHA = 4  # color type in a PNG
ROWS_AT_ONCE = 64
MAX_8 = 255

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
Image.preinit()
PngImagePlugin._MODES[16, GRAY_AND_ALPHA] = ("I", "I;32N")  # by default, Pillow keeps 8 bits of each
Image.MAX_IMAGE_PIXELS = None  # the service checks its own limit before decoding


def decode(
    data: bytes, max_pixels: int, field: str = "image", allow: Callable[[int], None] | None = None
) -> DecodedPhoto:
    """Decode a photo (the first frame or page), turn it upright and convert it to sRGB.

    Gray stays gray, and 16-bit gray keeps its 16 bits. The header's size is checked before any pixel is decoded; then
    `allow` gets the number of pixels. Errors name the field.
    Raises ImageTypeError, TooManyPixelsError, UndecodableImageError, or DecodingLimitError where memory is limited.
    """
    if not data:
        raise UndecodableImageError(f"{field}: the file is empty")
    formats = _identify(data)
    if not formats:
        raise ImageTypeError(f"{field}: unsupported file type; supported: {', '.join(FORMATS.values())}")

    scans, has_end = count_scans(data, MAX_SCANS) if formats == ["JPEG"] else (0, True)
    if scans > MAX_SCANS:
        raise DecodingLimitError(f"{field}: the JPEG has more than {MAX_SCANS} scans")

    def announce(size: tuple[int, int]) -> None:
        width, height = size
        if width < 1 or height < 1:
            raise UndecodableImageError(f"{field}: its header says {width}×{height} pixels")
        if width * height > max_pixels:
            raise TooManyPixelsError(f"{field}: {width}×{height} pixels are more than {max_pixels}")
        if allow is not None:
            allow(width * height)

    try:
        if formats == ["WEBP"] and (size := webp_size(data)) is not None:
            announce(size)
        with Image.open(BytesIO(openable(data)), formats=formats) as image:
            prepare(image, data)
            announce(image.size)
            gamma = None
            if image.format == "PNG":
                _stretch_key(image, data[PNG_BITS])
                gamma = png_gamma(image, data)
            if image.format == "BMP":
                _mend_black_and_white(image, data[BMP_BITS])
            if not has_end:
                load_without_end(image, data)
            forget_xmp(image)  # a TIFF is turned as it is loaded
            image._exif = None  # drop EXIF that Pillow read from a JPEG together with XMP's
            image.load()
            announce(image.size)  # HEIF may change it in decoding
            photo = _to_photo(_upright(mend_levels(image)))
            return replace(photo, pixels=gamma_to_srgb(photo.pixels, gamma)) if gamma else photo
    except ServiceError:
        raise
    except MemoryError as error:
        raise DecodingLimitError(f"{field}: needs more memory to decode than its size allows") from error
    except Exception as error:  # decoders raise any type on broken files: TypeError, KeyError, IndexError, …
        raise UndecodableImageError(f"{field}: the {FORMATS[formats[0]]} file {_trouble(error)}") from error


def _trouble(error: Exception) -> str:
    """Describe what a decoder's error means for the file."""
    if isinstance(error, UnsupportedTiffError):
        return str(error)
    if isinstance(error, EOFError) or "truncated" in str(error):
        return "ends too early"
    return "is broken, or of a kind that is not supported; save it as gray or RGB of 8 or 16 bits"


def _identify(data: bytes) -> list[str]:
    """List the formats that match the file's first bytes."""
    prefix = data[:PREFIX_BYTES]
    openers = {name: Image.OPEN[name][1] for name in FORMATS}
    return [name for name, accepts in openers.items() if accepts is not None and accepts(prefix)]


def _upright(image: Image.Image) -> Image.Image:
    forget_xmp(image)  # a PNG may have it after its pixels
    try:
        image.getexif()  # read and cached now
        image.info.pop("exif", None)  # else Pillow would write it again, which fails for broken EXIF
        ImageOps.exif_transpose(image, in_place=True)  # else even an upright photo is copied
    except MemoryError:
        raise
    except Exception:  # broken EXIF does not affect the pixels: keep the stored orientation
        return image
    return image


def forget_xmp(image: Image.Image) -> None:
    """Remove XMP, or Pillow would use its orientation, which browsers and viewers ignore."""
    for name in ("xmp", "XML:com.adobe.xmp"):
        image.info.pop(name, None)


def _to_photo(image: Image.Image) -> DecodedPhoto:
    profile = image.info.get("icc_profile")
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "L" or image.mode.startswith("I;16"):
        levels: NDArray[Any] = np.asarray(image)
        levels = levels.astype(levels.dtype.newbyteorder("="), copy=False)
        return DecodedPhoto(gray_to_srgb(levels, profile), _gray_alpha(levels, image))
    if image.mode == "I":  # a PNG's gray and alpha, of 16 bits each
        both = np.asarray(image).view(">u2").reshape(image.height, -1, 2)
        gray, beside = both[..., 0].astype(np.uint16), (both[..., 1] >> 8).astype(np.uint8)
        del both  # else the largest photos would exceed their memory limit
        return DecodedPhoto(gray_to_srgb(gray, profile), _alpha(beside))
    if image.mode in ("LA", "La"):
        gray_band, alpha_band = image.convert("LA").split()
        return DecodedPhoto(gray_to_srgb(np.asarray(gray_band), profile), _alpha(np.asarray(alpha_band)))
    if image.mode in ("CMYK", "LAB"):
        return DecodedPhoto(np.asarray(to_srgb(image, profile)), None)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = _alpha(np.asarray(image.getchannel("A")))
        return DecodedPhoto(np.asarray(to_srgb(image.convert("RGB"), profile)), alpha)
    if image.mode != "RGB":
        image = image.convert("RGB")
    rgb: NDArray[np.uint8] = np.asarray(image)
    if _is_gray(rgb):
        return DecodedPhoto(gray_to_srgb(np.ascontiguousarray(rgb[..., 0]), profile, ("RGB",)), None)
    return DecodedPhoto(np.asarray(to_srgb(image, profile)), None)


def _is_gray(rgb: NDArray[np.uint8]) -> bool:
    """Say whether red, green and blue are equal everywhere. For color photos, a few rows decide."""
    bands = (rgb[top : top + ROWS_AT_ONCE] for top in range(0, len(rgb), ROWS_AT_ONCE))
    return all(
        np.array_equal(band[..., 0], band[..., 1]) and np.array_equal(band[..., 1], band[..., 2]) for band in bands
    )


def _alpha(alpha: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return alpha that hides only some pixels. Alpha that hides all, as in many BMPs, is a mistake and ignored."""
    return alpha if alpha.min() < MAX_8 and alpha.any() else None


def _gray_alpha(gray: Photo, image: Image.Image) -> NDArray[np.uint8] | None:
    """Return the alpha of a gray TIFF, or of a gray PNG with one transparent level."""
    if ALPHA in image.info:
        return _alpha(image.info[ALPHA])
    key = image.info.get("transparency")
    return _alpha(np.where(gray == key, np.uint8(0), np.uint8(MAX_8))) if isinstance(key, int) else None


def _stretch_key(image: Image.Image, bits: int) -> None:
    """Scale the transparent level of a gray PNG of under 8 bits to 8 bits, as Pillow does with its pixels."""
    key, top = image.info.get("transparency"), 2**bits - 1
    if isinstance(key, int) and image.mode in ("1", "L") and bits < 8:
        image.info["transparency"] = (key & top) * (MAX_8 // top)


def _mend_black_and_white(image: Image.Image, bits: int) -> None:
    """Give back its palette to a BMP of black and white in 4 or 8 bits: Pillow would read single bits."""
    if isinstance(image, BmpImagePlugin.BmpImageFile) and image.mode == "1" and bits in (4, 8):
        image.palette, image._mode = ImagePalette.raw("RGB", bytes([0, 0, 0, MAX_8, MAX_8, MAX_8])), "P"
        image.tile = [
            tile._replace(args=("P;4" if bits == 4 else "P", *cast("tuple[Any, ...]", tile.args)[1:]))
            for tile in image.tile
        ]

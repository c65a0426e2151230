"""TIFFs that Pillow reads as other pixels than they hold: of 12 or 16 bits, white as 0, big-endian, or in planes."""

from typing import Any, cast

from PIL import Image
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import II, MM, OPEN_INFO, TiffImageFile

__all__ = ["mend_levels", "mend_tiles"]

MAX_12, MAX_16 = 4_095, 65_535
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1  # of PhotometricInterpretation
IN_PLANES = 2  # of PlanarConfiguration
NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}
"""Big-endian raw modes, and those of the bytes that libtiff hands over, which are in the machine's order"""

UNSIGNED, PLAIN = (1,), 1
OPEN_INFO |= {
    (MM, WHITE_IS_ZERO, UNSIGNED, PLAIN, (16,), ()): ("I;16", "I;16B"),
    (II, WHITE_IS_ZERO, UNSIGNED, PLAIN, (12,), ()): ("I;16", "I;12"),
    (MM, WHITE_IS_ZERO, UNSIGNED, PLAIN, (12,), ()): ("I;16", "I;12"),
    (MM, BLACK_IS_ZERO, UNSIGNED, PLAIN, (12,), ()): ("I;16", "I;12"),
}


def mend_tiles(image: Image.Image) -> None:
    """Name the byte order and width of a TIFF's samples where Pillow forgets them. Call it before `load`."""
    if not isinstance(image, TiffImageFile):
        return
    in_planes = image.tag_v2.get(Base.PlanarConfiguration) == IN_PLANES
    wide = 16 in image.tag_v2.get(Base.BitsPerSample, ())
    tiles = []
    for tile in image.tile:
        raw_mode, *rest = cast(tuple[Any, ...], tile.args)
        if tile.codec_name == "libtiff":
            raw_mode = NATIVE.get(raw_mode, raw_mode)
        elif in_planes and wide:  # Pillow keeps the first letter alone: R of RGB;16L
            raw_mode += ";16L" if image.tag_v2.prefix == II else ";16B"
        tiles.append(tile._replace(args=(raw_mode, *rest)))
    image.tile = tiles


def mend_levels(image: Image.Image) -> Image.Image:
    """Bring a loaded gray TIFF of 12 or 16 bits to 16 bits with black as 0; return other images as they are."""
    if not isinstance(image, TiffImageFile) or not image.mode.startswith("I;16"):
        return image
    scale, offset = 1.0, 0
    if image.tag_v2.get(Base.BitsPerSample) == (12,):
        scale = MAX_16 / MAX_12
    if image.tag_v2.get(Base.PhotometricInterpretation) == WHITE_IS_ZERO:
        scale, offset = -scale, MAX_16
    return image if scale == 1 else image.point(lambda level: level * scale + offset)

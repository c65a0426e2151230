"""EXIF and ICC profile of a photo, kept in its colorings."""

from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, IptcImagePlugin

from service.api.formats import OutputFormat
from service.codecs.embedding import JPEG_SEGMENT_BYTES, Embedded, embed, xmp_of
from service.codecs.encoding import encode
from service.codecs.profiles import INTENT, SRGB, is_srgb

__all__ = ["Metadata", "embed_metadata", "read_metadata", "to_profile"]

Base = ExifTags.Base

HOW_PIXELS_ARE_STORED = {
    Base.NewSubfileType, Base.SubfileType, Base.ImageWidth, Base.ImageLength, Base.BitsPerSample, Base.Compression,
    Base.PhotometricInterpretation, Base.FillOrder, Base.StripOffsets, Base.SamplesPerPixel, Base.RowsPerStrip,
    Base.StripByteCounts, Base.PlanarConfiguration, Base.TransferFunction, Base.Predictor, Base.WhitePoint,
    Base.PrimaryChromaticities, Base.ColorMap, Base.TileWidth, Base.TileLength, Base.TileOffsets, Base.TileByteCounts,
    Base.SubIFDs, Base.ExtraSamples, Base.SampleFormat, Base.JPEGTables, Base.JpegIFOffset, Base.JpegIFByteCount,
    Base.YCbCrCoefficients, Base.YCbCrSubSampling, Base.YCbCrPositioning, Base.ReferenceBlackWhite,
    Base.InterColorProfile,
}  # fmt: skip
"""TIFF tags about the layout of pixels, not about the photo"""
PHOTOSHOP_LAYERS = 37724
NOT_EXIF = {Base.XMLPacket, Base.IPTCNAA, Base.ImageResources, PHOTOSHOP_LAYERS}
"""TIFF tags that hold other metadata: XMP, IPTC and Photoshop's, each with a GPS position of its own"""
CAPTIONS = {(2, 120): Base.ImageDescription, (2, 80): Base.Artist, (2, 116): Base.Copyright}
"""IPTC's caption, by-line and copyright notice, and where EXIF has them"""
RESOLUTION = {Base.XResolution, Base.YResolution, Base.ResolutionUnit}
QUARTER_TURNS = range(5, 9)
"""orientations that exchange width and height"""
NO_UNIT, PER_METER = 0, 1  # of JFIF's density, and of pHYs
INCH, CENTIMETER = 2, 3  # of EXIF's ResolutionUnit
METERS = {INCH: 0.0254, CENTIMETER: 0.01}
ENTRY_BYTES = 14  # maximum overhead of an EXIF tag: 12, a zero after text, one byte to be even


@dataclass(frozen=True)
class Metadata(Embedded):
    """Metadata that a coloring keeps of its photo.

    EXIF has an upright orientation, and no tags about the old file's pixels. The profile is an RGB profile: sRGB's
    where the photo's is of another space, such as gray, or too coarse at 8 bits.
    """

    converts: bool = False
    """whether the coloring's sRGB pixels must be converted to the profile"""
    longest_side: int = 0
    """longest side of the coloring, in pixels"""


def read_metadata(photo: Path | IO[bytes], keep_gps: bool = False, max_side: int | None = None) -> Metadata:
    """Read the metadata of a photo; its GPS position only if told to.

    Broken metadata are left out. Does not check that the photo decodes.

    max_side: maximum of a coloring's sides; one that is smaller than the photo does not get its resolution.
    """
    from service.codecs.decoding import FORMATS, forget_xmp  # late: HEIC, which a server leaves to its decoders
    from service.codecs.tiff import skip_small_copies

    try:
        with Image.open(photo, formats=list(FORMATS)) as image:
            skip_small_copies(image)
            forget_xmp(image)
            image._exif = None  # drop EXIF that Pillow read from a JPEG together with XMP's
            profile, exif = image.info.get("icc_profile"), image.getexif()
            has_resolution = "dpi" in image.info and image.info.get("jfif_unit") != NO_UNIT
            if image.format != "TIFF" and has_resolution and Base.XResolution not in exif:
                exif[Base.XResolution], exif[Base.YResolution] = image.info["dpi"]
                exif[Base.ResolutionUnit] = INCH
            longest = max(image.size)
            if max_side is not None and max_side < longest:
                longest = max_side
                for tag in RESOLUTION & set(exif):
                    del exif[tag]
            _add_captions(exif, image)
            fitting, converts = _fitting(profile)
            return Metadata(
                exif=_exif_bytes(exif, keep_gps),
                profile=fitting,
                dots_per_meter=_dots_per_meter(exif),
                converts=converts,
                longest_side=longest,
            )
    except Exception:  # on broken files Pillow raises whatever it likes
        return Metadata()


def _add_captions(exif: Image.Exif, image: ImageFile.ImageFile) -> None:
    """Take the captions that EXIF lacks from IPTC, whose other fields are left out."""
    try:
        iptc = IptcImagePlugin.getiptcinfo(image) or {}
    except Exception:  # as in `read_metadata`; the rest is kept
        return
    for field, tag in CAPTIONS.items():
        if field in iptc and not str(exif.get(tag, "")).strip(" \0"):
            text = iptc[field]
            exif[tag] = (b"; ".join(text) if isinstance(text, list) else text).decode("latin-1")  # see `_Text`


def _exif_bytes(exif: Image.Exif, keep_gps: bool) -> bytes | None:
    unwanted = HOW_PIXELS_ARE_STORED | NOT_EXIF | (set() if keep_gps else {ExifTags.IFD.GPSInfo})
    for tag in unwanted & set(exif):
        del exif[tag]
    if not exif:
        return None
    if ExifTags.IFD.Exif in exif:
        for side in (Base.ExifImageWidth, Base.ExifImageHeight):  # of the photo before it was turned
            exif.get_ifd(ExifTags.IFD.Exif).pop(side, None)
    if Base.Orientation in exif:
        if exif[Base.Orientation] in QUARTER_TURNS and {Base.XResolution, Base.YResolution} <= set(exif):
            exif[Base.XResolution], exif[Base.YResolution] = exif[Base.YResolution], exif[Base.XResolution]
        exif[Base.Orientation] = 1  # colorings are upright
    return _written(exif)


class _Text(str):
    """Text of EXIF. Pillow reads every byte as a character, but writes only ASCII."""

    def encode(self, *_: str) -> bytes:
        """Return the bytes as read, in any encoding."""
        return super().encode("latin-1")


def _written(exif: Image.Exif) -> bytes:
    for directory in _directories(exif):
        for tag, value in directory.items():
            if isinstance(value, str):
                directory[tag] = _Text(value)
    return exif.tobytes()


def _directories(exif: Image.Exif) -> list[MutableMapping[int, Any]]:
    return [exif, *(exif.get_ifd(ifd) for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) if ifd in exif)]


def _dots_per_meter(exif: Image.Exif) -> tuple[int, int] | None:
    meters = METERS.get(exif.get(Base.ResolutionUnit, INCH))
    with suppress(TypeError, ValueError, ZeroDivisionError):
        across, down = (float(exif.get(tag, 0)) for tag in (Base.XResolution, Base.YResolution))
        if meters and min(across, down) > 0 and max(across, down) / meters < 2**31:
            return round(across / meters), round(down / meters)
    return None


def _fitting(profile: bytes | None) -> tuple[bytes | None, bool]:
    """Return the profile for a coloring, and whether the coloring's pixels must be converted to it."""
    if not profile:
        return None, False
    with suppress(ImageCms.PyCMSError, OSError):
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        if opened.profile.xcolor_space.strip() == "RGB":
            if is_srgb(opened):
                return profile, False
            if _holds_grays(opened):
                return profile, True
    return SRGB.tobytes(), False


def _holds_grays(profile: ImageCms.ImageCmsProfile) -> bool:
    """Say whether a profile's 8 bits keep sRGB's grays to within a level. Linear light loses the dark ones."""
    grays = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    image = Image.fromarray(grays)
    for source, target in ((SRGB, profile), (profile, SRGB)):
        ImageCms.profileToProfile(image, source, target, INTENT, inPlace=True)
    return bool(np.abs(np.asarray(image, np.int16) - grays).max() <= 1)


def to_profile(png: bytes, profile: bytes, output_format: OutputFormat, quality: int) -> bytes:
    """Convert a coloring from sRGB to an RGB profile, and encode it, with its XMP."""
    with Image.open(BytesIO(png)) as image:
        alpha = np.asarray(image.getchannel("A")) if "A" in image.getbands() else None
        rgb = image.convert("RGB")
    ImageCms.profileToProfile(rgb, SRGB, ImageCms.ImageCmsProfile(BytesIO(profile)), INTENT, inPlace=True)
    return encode(np.asarray(rgb), alpha, output_format, quality, xmp_of(png))


def embed_metadata(data: bytes, output_format: OutputFormat, metadata: Metadata) -> bytes:
    """Put metadata into a coloring, without touching its pixels."""
    if metadata.exif and output_format == "jpeg":
        metadata = replace(metadata, exif=_for_a_segment(metadata.exif))
    return embed(data, output_format, metadata)


def _for_a_segment(data: bytes) -> bytes:
    """Leave out the largest tags of EXIF until a JPEG's segment holds it."""
    if len(data) <= JPEG_SEGMENT_BYTES:
        return data
    exif = Image.Exif()
    exif.load(data)
    tags = [(_length(directory[tag]), tag, directory) for directory in _directories(exif) for tag in directory]
    largest_first = iter(sorted(tags, key=lambda each: each[0], reverse=True))
    while (excess := len(data) - JPEG_SEGMENT_BYTES) > 0:
        while excess > 0:
            length, tag, directory = next(largest_first)
            del directory[tag]
            excess -= ENTRY_BYTES + length
        data = _written(exif)
    return data


def _length(value: Any) -> int:
    """Estimate the bytes of an EXIF value; a number has at most 8."""
    if isinstance(value, (bytes, str)):
        return len(value)
    return 8 * len(value) if isinstance(value, tuple) else 8

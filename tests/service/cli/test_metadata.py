"""EXIF and profiles of photos, and those of their colorings."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import GPS, IFD, Base

from service.api.formats import FORMATS, OutputFormat
from service.cli.metadata import Metadata, embed_metadata, read_metadata, to_profile
from service.codecs.embedding import JPEG_SEGMENT_BYTES
from service.codecs.encoding import encode
from tests.service.files import SRGB, encoded, icc_profile, opened, swapped_srgb

COLORING = np.random.default_rng(3).integers(0, 256, (16, 24, 3), dtype=np.uint8)


@pytest.fixture
def exif() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "A town"
    exif[Base.Orientation] = 6
    exif[IFD.Exif] = {Base.DateTimeOriginal: "1931:05:06 07:08:09"}
    exif[IFD.GPSInfo] = {GPS.GPSMapDatum: "TOKYO", GPS.GPSLatitude: (48.0, 1.0, 2.0)}
    return exif


def metadata_of(file_format: str, mode: str = "L", keep_gps: bool = False, **options: Any) -> Metadata:
    """Save a black photo, 24 wide and 16 high, with options of Pillow; return its metadata."""
    Image.new(mode, (24, 16)).save("photo", file_format, **options)
    return read_metadata(Path("photo"), keep_gps)


def embedded(output_format: OutputFormat, metadata: Metadata) -> Image.Image:
    """Return a coloring with metadata."""
    return opened(embed_metadata(encode(COLORING, None, output_format, 90), output_format, metadata))


def exif_of(metadata: Metadata) -> Image.Exif:
    exif = Image.Exif()
    exif.load(metadata.exif)
    return exif


def test_a_preview_has_no_resolution_of_the_photo() -> None:
    whole = metadata_of("JPEG", dpi=(300, 300))
    assert (whole.dots_per_meter, whole.longest_side) == ((11811, 11811), 24)
    assert read_metadata(Path("photo"), max_side=24) == whole
    small = read_metadata(Path("photo"), max_side=23)
    assert (small.dots_per_meter, small.longest_side, small.exif) == (None, 23, None)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("what", [("exif",), ("profile",), ("exif", "profile"), ()])
def test_metadata_goes_in_and_pixels_stay(
    exif: Image.Exif, output_format: OutputFormat, alpha: bool, what: tuple
) -> None:
    options = {"exif": exif} if "exif" in what else {}
    options |= {"icc_profile": SRGB} if "profile" in what else {}
    transparency = np.tile(np.arange(24, dtype=np.uint8), (16, 1)) if alpha else None
    plain = encode(COLORING, transparency, output_format, 90)
    with_metadata = embed_metadata(plain, output_format, metadata_of("JPEG", keep_gps=True, **options))
    assert what or with_metadata == plain
    with opened(plain) as one, opened(with_metadata) as other:
        assert (one.mode, one.size) == (other.mode, other.size)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        assert other.info.get("icc_profile") == (SRGB if "profile" in what else None)
        kept = other.getexif()
    if "exif" not in what:
        assert not kept
        return
    assert kept[Base.ImageDescription] == "A town"
    assert kept[Base.Orientation] == 1
    for ifd in (IFD.Exif, IFD.GPSInfo):
        assert kept.get_ifd(ifd) == exif[ifd]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize("input_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_text_keeps_its_bytes(input_format: str, encoding: str) -> None:
    exif, text = Image.Exif(), "Großmutter Käthe, © 1932".encode(encoding)
    place = "?" * len(text)
    exif[Base.ImageDescription] = exif[Base.Copyright] = place
    exif[IFD.Exif] = {Base.LensModel: place}
    kept = exif_of(metadata_of(input_format, exif=exif.tobytes().replace(place.encode(), text)))
    texts = [kept[Base.ImageDescription], kept[Base.Copyright]]
    texts.append(kept.get_ifd(IFD.Exif)[Base.LensModel])
    assert [each.encode("latin-1") for each in texts] == [text] * 3


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_text_of_a_tiff_keeps_its_bytes(encoding: str) -> None:
    text = "Großmutter Käthe, © 1932".encode(encoding)
    assert text in (metadata_of("TIFF", tiffinfo={Base.ImageDescription: text}).exif or b"")


@pytest.mark.parametrize("input_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_where_a_photo_was_taken_stays_here_unless_asked(exif: Image.Exif, input_format: str) -> None:
    asked, unasked = (metadata_of(input_format, keep_gps=keep_gps, exif=exif.tobytes()) for keep_gps in (True, False))
    assert b"TOKYO" in (asked.exif or b"")
    assert b"TOKYO" not in (unasked.exif or b"")
    kept = exif_of(unasked)
    assert IFD.GPSInfo not in kept
    assert kept.get_ifd(IFD.Exif) == exif[IFD.Exif]


def iptc(**texts: str) -> bytes:
    fields = {"caption": 120, "by_line": 80, "copyright": 116, "city": 90}
    return b"".join(
        bytes((0x1C, 2, fields[name])) + len(text.encode()).to_bytes(2, "big") + text.encode()
        for name, text in texts.items()
    )


@pytest.mark.parametrize("input_format", ["JPEG", "TIFF"])
def test_captions_of_iptc_fill_those_that_exif_lacks(input_format: str) -> None:
    data = iptc(caption="Großer Markt", by_line="Käthe", copyright="© other", city="Here")
    own = {Base.Copyright: "(c) own", Base.ImageDescription: " "}
    if input_format == "TIFF":
        metadata_of("TIFF", tiffinfo={**own, 33723: data})
    else:
        exif = Image.Exif()
        exif.update(own)
        metadata_of("JPEG", exif=exif)
        body = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + len(data).to_bytes(4, "big") + data + bytes(len(data) % 2)
        photo = Path("photo").read_bytes()
        Path("photo").write_bytes(photo[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + photo[2:])
    metadata = read_metadata(Path("photo"))
    kept = exif_of(metadata)
    assert kept[Base.ImageDescription].encode("latin-1").decode() == "Großer Markt"
    assert kept[Base.Artist].encode("latin-1").decode() == "Käthe"
    assert kept[Base.Copyright] == "(c) own"
    assert b"Here" not in (metadata.exif or b"")


def test_the_sides_before_a_photo_was_turned_are_left_out(exif: Image.Exif) -> None:
    taken = dict(exif[IFD.Exif])
    sides = {Base.ExifImageWidth: 24, Base.ExifImageHeight: 16}
    exif[IFD.Exif] = taken | sides
    kept = exif_of(metadata_of("JPEG", exif=exif))
    assert kept.get_ifd(IFD.Exif) == taken


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("input_format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_the_resolution_of_a_scan_is_kept_and_turns_with_it(input_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    metadata = metadata_of(input_format, dpi=(300, 600), exif=exif)
    upright = (300, 600) if orientation <= 4 or input_format == "BMP" else (600, 300)  # a BMP has no EXIF
    kept = embedded("jpeg", metadata).getexif()
    for sides in ((kept[Base.XResolution], kept[Base.YResolution]), embedded("png", metadata).info["dpi"]):
        assert sides == pytest.approx(upright, abs=0.01)  # PNG stores whole dots per meter


def test_xmp_turns_no_resolution() -> None:
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    assert metadata_of("JPEG", dpi=(300, 600), xmp=xmp).dots_per_meter == (11811, 23622)


def test_a_small_copy_of_a_photo_says_nothing_of_it() -> None:
    small, photo = Image.new("L", (8, 8)), Image.new("L", (24, 16))
    small.encoderinfo = {"tiffinfo": {Base.NewSubfileType: 1}, "icc_profile": SRGB, "dpi": (72, 72)}
    photo.encoderinfo = {"dpi": (600, 600)}
    Path("photo").write_bytes(encoded(small, "TIFF", save_all=True, append_images=[photo]))
    metadata = read_metadata(Path("photo"))
    assert (metadata.dots_per_meter, metadata.profile, metadata.longest_side) == ((23622, 23622), None, 24)


@pytest.mark.parametrize("input_format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_photo_without_a_resolution_gets_none(input_format: str) -> None:
    dots = metadata_of(input_format).dots_per_meter
    assert dots == ((3780, 3780) if input_format == "BMP" else None)  # Pillow writes 96 dpi into every BMP


def test_a_long_profile_takes_several_segments_of_a_jpeg() -> None:
    profile = np.random.default_rng(3).bytes(150_000)
    for output_format in FORMATS:
        assert embedded(output_format, Metadata(profile=profile)).info["icc_profile"] == profile


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_jpeg_leaves_out_the_largest_tags_of_long_exif(exif: Image.Exif, output_format: OutputFormat) -> None:
    """Examples are maker notes, and private tags of a scanner's TIFF; other formats hold any EXIF."""
    private, taken = 65_000, dict(exif[IFD.Exif])
    exif[private] = bytes(60_000)
    exif[Base.Artist] = "José".encode() * 10
    exif[IFD.Exif] = whole = taken | {Base.MakerNote: bytes(70_000)}
    metadata = metadata_of("PNG", exif=exif, dpi=(600, 600))
    kept = embedded(output_format, metadata).getexif()
    assert kept[Base.ImageDescription] == "A town"
    assert kept[Base.Artist].encode("latin-1") == exif[Base.Artist]
    assert kept[Base.XResolution] == pytest.approx(600, abs=0.01)  # PNG stores whole dots per meter
    assert kept[private] == bytes(60_000)
    assert kept.get_ifd(IFD.Exif) == (taken if output_format == "jpeg" else whole)


@pytest.mark.parametrize("value", [7, b"seven", b"a longer text"])
def test_a_jpeg_leaves_out_small_tags_of_long_exif_many_at_a_time(monkeypatch, value: object) -> None:
    """Writing EXIF again for each tag would take seconds."""
    exif, written = Image.Exif(), []
    for tag in range(5_600):
        exif[56_000 + tag] = value
    monkeypatch.setattr("service.cli.metadata._written", lambda exif: written.append(exif.tobytes()) or written[-1])
    kept = embedded("jpeg", Metadata(exif.tobytes())).info["exif"]
    assert len(written) < 20
    assert JPEG_SEGMENT_BYTES - 50 < len(kept) <= JPEG_SEGMENT_BYTES


@pytest.mark.parametrize("keep_gps", [False, True])
@pytest.mark.parametrize("tag", [700, 33723, 34377, 37724], ids=["XMP", "IPTC", "Photoshop", "layers"])
def test_a_tiffs_tags_of_pixels_and_other_metadata_are_left_out(tag: int, keep_gps: bool) -> None:
    tags = {Base.ImageDescription: "A town", tag: b"GPSLatitude 48,1.5N " * 4000}
    assert dict(exif_of(metadata_of("TIFF", keep_gps=keep_gps, tiffinfo=tags))) == {Base.ImageDescription: "A town"}


@pytest.mark.parametrize("profile", [icc_profile("RGB ", 1.8), swapped_srgb()], ids=["own", "sRGB in its name"])
def test_pixels_are_brought_to_a_profile_of_other_colors(profile: bytes) -> None:
    metadata = metadata_of("PNG", "RGB", icc_profile=profile)
    assert (metadata.profile, metadata.converts) == (profile, True)


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("L", icc_profile("GRAY", 1.8)),
        ("RGB", icc_profile("RGB ", 1.0, "Linear Rec709")),
        ("RGB", icc_profile("RGB ", 1.0, "GIMP built-in Linear sRGB")),
        ("RGB", b"no profile"),
    ],
    ids=["of grays", "too coarse for dark grays", "too coarse, with sRGB in its name", "broken"],
)
def test_a_profile_that_colors_cannot_have_becomes_srgbs(mode: str, profile: bytes) -> None:
    metadata = metadata_of("PNG", mode, icc_profile=profile)
    assert not metadata.converts
    made = ImageCms.ImageCmsProfile(BytesIO(metadata.profile or b""))
    assert "sRGB built-in" in (made.profile.profile_description or "")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_are_brought_to_the_profile(mode: str) -> None:
    """A ramp at gamma 1.8 has larger values than in sRGB; converted back by its profile, it is unchanged."""
    ramp = np.tile(np.linspace(20, 235, 24).astype(np.uint8), (16, 1))
    image = Image.fromarray(ramp).convert(mode)
    profile = icc_profile("RGB ", 1.8)
    converted = opened(to_profile(encoded(image), profile, "png", 90))
    assert (converted.mode, converted.size) == (mode, image.size)
    rgb = converted.convert("RGB")
    assert np.abs(np.asarray(rgb).astype(int) - ramp[..., None]).max() > 3
    target = ImageCms.ImageCmsProfile(BytesIO(profile))
    back = ImageCms.profileToProfile(rgb, target, ImageCms.createProfile("sRGB"))
    assert np.abs(np.asarray(back).astype(int) - ramp[..., None]).max() <= 1  # two roundings to 8 bits


def test_a_file_that_is_no_image_has_none() -> None:
    Path("photo.jpg").write_text("only text")
    assert read_metadata(Path("photo.jpg")) == read_metadata(Path("missing.jpg"))

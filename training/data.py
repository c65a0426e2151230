"""Photos for training: read from a folder or tar shards, cropped, converted to lightness and chroma."""

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from model.errors import ModelError
from model.flow.config import CinnConfig
from model.pixels.color import rgb_to_lab
from model.pixels.frame import without_frame
from model.pixels.resizing import resize_chroma, resize_lightness

__all__ = [
    "Example",
    "NoPhotosError",
    "is_near_gray",
    "is_tar",
    "make_example",
    "photo_files",
    "read_named_photos",
    "read_photos",
]

CHROMA_SIZE = CinnConfig().sizes[-1]
_HEIF = {".heic", ".heics", ".heif", ".heifs", ".hif"}
_JPEG = {".jfif", ".jpe", ".jpeg", ".jpg"}
SUFFIXES = _HEIF | _JPEG | {".apng", ".avif", ".avifs", ".bmp", ".gif", ".png", ".tif", ".tiff", ".webp"}
"""Suffixes of photos, as the service reads them."""
_SRGB = ImageCms.createProfile("sRGB")
_INTENT, _FLAGS = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
MIN_CHROMA = 4.0
"""Minimum mean chroma √(a*² + b*²): photos below it teach only gray, and are dropped."""
MIN_CROP = 0.75
"""Smallest side of a random crop, as a share of the photo's."""

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


class NoPhotosError(ModelError, ValueError):
    """A data path holds no readable photo."""


class Example(NamedTuple):
    """A photo as the cINN sees it."""

    lightness: NDArray[np.float32]
    """(256, 256), L* in [0, 100]"""
    chroma: NDArray[np.float32]
    """(64, 64, 2), a*b*, averaged over area"""


def read_photos(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield each photo of a data path, as `read_named_photos` does."""
    for _, photo in read_named_photos(path):
        yield photo


def read_named_photos(path: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield name and (H, W, 3) sRGB of each photo below a folder, or in a tar shard; unreadable ones are skipped.

    A folder may itself hold tar shards; if several hold a photo of one name, the second is NAME#2, and so on. Raises
    NoPhotosError if nothing could be read, and for a broken tar.
    """
    found: Counter[str] = Counter()
    for name, data in _read_files(path):
        try:
            with Image.open(io.BytesIO(data)) as image:
                upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):  # `convert` would clip it at 255
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            photo = np.asarray(_to_srgb(upright))
        except Exception:  # noqa: S112 (decoders raise anything on a broken file, and one photo is no loss)
            continue
        found[name] += 1
        yield name if found[name] == 1 else f"{name}#{found[name]}", photo
    if not found:
        raise NoPhotosError(f"no readable photo in {path}")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image to RGB in sRGB, from its ICC profile as the service does; bad ones are ignored."""
    profile = image.info.get("icc_profile")
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if profile:
        with suppress(ImageCms.PyCMSError):
            transform = ImageCms.buildTransform(io.BytesIO(profile), _SRGB, image.mode, "RGB", _INTENT, _FLAGS)
            return transform.apply(image)
    return image.convert("RGB")


def photo_files(path: Path) -> list[Path]:
    """Return the photos and tar shards of a data path: all below a folder, in order, or the path itself."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if (_is_photo(file) or is_tar(file)) and file.is_file())


def is_tar(path: Path) -> bool:
    return path.suffix.lower() == ".tar"


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _read_files(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in photo_files(path):
        if is_tar(file):
            yield from _read_tar(file)
            continue
        try:
            data = file.read_bytes()
        except OSError:  # deleted meanwhile, or not readable
            continue
        yield file.name if file == path else file.relative_to(path).as_posix(), data


def _read_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                with suppress(KeyError):  # a link to what the tar lacks
                    extracted = tar.extractfile(member) if _is_photo(Path(member.name)) else None
                    if extracted is not None:
                        yield member.name, extracted.read()
    except (tarfile.TarError, EOFError) as error:
        raise NoPhotosError(f"{path} is not a complete tar: {error}") from error


def is_near_gray(photo: NDArray[np.uint8]) -> bool:
    """Say whether a photo's mean chroma is below MIN_CHROMA. photo: (H, W, 3) sRGB."""
    _, a, b = _to_lab(photo[::4, ::4])
    return bool(np.hypot(a, b).mean() < MIN_CHROMA)


def make_example(photo: NDArray[np.uint8], rng: np.random.Generator | None = None) -> Example:
    """Convert a photo to network inputs: whole if rng is None, else randomly cropped and mirrored.

    photo: (H, W, 3) sRGB. As in the service, frames are cut off and the sides are resized to a square.
    """
    photo = without_frame(photo)
    if rng is not None:
        scale = rng.uniform(MIN_CROP, 1)
        height, width = (round(side * scale) for side in photo.shape[:2])
        top, left = rng.integers(photo.shape[0] - height + 1), rng.integers(photo.shape[1] - width + 1)
        photo = photo[top : top + height, left : left + width]
        if rng.random() < 0.5:
            photo = photo[:, ::-1]
    lightness, a, b = _to_lab(photo)
    return Example(resize_lightness(lightness), resize_chroma(np.dstack((a, b)), CHROMA_SIZE))


def _to_lab(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(rgb_to_lab(photo.transpose(2, 0, 1)[None] / np.float32(255))[0])

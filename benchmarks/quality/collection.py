"""Photos to measure on: subsets, seeds and size."""

import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.pixels.frame import without_frame
from training.data import NoPhotosError, is_near_gray, read_named_photos

__all__ = ["photos_of_subsets", "seed_of", "square"]

SIZE = 256


def photos_of_subsets(data: Path, limit: int | None) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    """Yield (subset, name, photo); the subset is the first folder of a photo's name.

    limit: maximum number of photos per subset, the first ones; None means all. Raises NoPhotosError at the end if all
    are near-gray: whatever a coloring was compared with would not be the true colors.
    """
    counts: Counter[str] = Counter()
    colored = False
    for name, photo in read_named_photos(data):
        folder, _, _ = name.rpartition("/")
        subset = folder.split("/")[0] or data.stem
        counts[subset] += 1
        if limit is None or counts[subset] <= limit:
            colored = colored or not is_near_gray(photo)
            yield subset, name, photo
    if not colored:
        raise NoPhotosError(f"only near-gray photos in {data}: they have no colors to compare colorings with")


def seed_of(name: str) -> int:
    """Return a photo's own fixed seed for its latents."""
    return zlib.crc32(name.encode())


def square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squeeze (H, W, 3) sRGB without its frame to (256, 256, 3), the size at which photos are measured."""
    photo = without_frame(photo)
    interpolation = cv2.INTER_AREA if min(photo.shape[:2]) > SIZE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo, (SIZE, SIZE), interpolation=interpolation), np.uint8)

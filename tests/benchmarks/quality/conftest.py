"""Photos for viewers to rate, and their pictures on sheets."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of nine photos."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(9):
        colors = rng.integers(0, 256, (3, 4, 3), np.uint8)
        Image.fromarray(colors).resize((80, 60), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@lru_cache(8)
def _pixels(sheet: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(sheet))


def shown(sheets: Path, place: int) -> NDArray[np.uint8]:
    """Return the picture at an index, from 0, on a folder's sheets."""
    left, top = place % 4 * 264 + 4, place % 12 // 4 * 282 + 18
    return _pixels(sheets / f"sheet-{place // 12 + 1:02}.png")[top : top + 192, left : left + 256]


@lru_cache(9)
def enlarged(photo: Path) -> NDArray[np.uint8]:
    """Enlarge a photo to its size on sheets."""
    return np.asarray(Image.open(photo).resize((256, 192), Image.Resampling.BICUBIC))


def is_shown(photo: Path, sheets: Path, place: int) -> bool:
    """Return whether the picture at an index is a photo in its true colors, or nearly so."""
    return float(np.abs(np.subtract(shown(sheets, place), enlarged(photo), dtype=int)).mean()) < 6

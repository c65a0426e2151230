"""Photos to measure on."""

from pathlib import Path

import pytest
import skimage.data
from PIL import Image


@pytest.fixture
def subsets(tmp_path: Path) -> Path:
    """A folder of two photos, in a subset each."""
    for subset, photo in (("pets", skimage.data.chelsea()), ("people", skimage.data.astronaut())):
        (tmp_path / "data" / subset).mkdir(parents=True)
        Image.fromarray(photo[::4, ::4]).save(tmp_path / "data" / subset / "0.png")
    return tmp_path / "data"

"""Made-up features and colours to train on, where no photo and no h are needed."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.condition import FEATURE_CHANNELS
from training.features import DONE

PHOTOS = 40


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `build_features` writes it: a* is 20 or −20 all over a photo, b* follows one feature of h."""
    rng = np.random.default_rng(0)
    arrays = {
        name: np.zeros((PHOTOS, *(() if size == 1 else (size, size)), channels), np.int8)
        for name, (size, channels) in FEATURE_CHANNELS.items()
    }
    told = rng.integers(-60, 61, (PHOTOS, 2, 2), np.int8).repeat(4, 1).repeat(4, 2)
    arrays["at_8"][..., 0] = told
    a = np.broadcast_to(rng.choice((-20, 20), (PHOTOS, 1, 1)), (PHOTOS, 64, 64))
    b = told.repeat(8, 1).repeat(8, 2) / 3
    chroma = np.stack((a, b), 3) + rng.normal(0, 1, (PHOTOS, 64, 64, 2))
    lightness = rng.integers(0, 256, (PHOTOS, 128, 128, 1), np.uint8)
    folder = tmp_path_factory.mktemp("made-up") / "0"
    folder.mkdir()
    for name, array in (arrays | {"lightness": lightness, "chroma": chroma.astype(np.float16)}).items():
        array.tofile(folder / f"{name}.raw")
    shapes = {
        name: list(array.shape[1:]) for name, array in (arrays | {"lightness": lightness, "chroma": chroma}).items()
    }
    (folder / DONE).write_text(json.dumps({"photos": PHOTOS, "shapes": shapes}))
    return folder

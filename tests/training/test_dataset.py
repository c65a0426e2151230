"""Features on disk must be complete and of the same photos, or they are refused."""

import json
import os
import shutil
from pathlib import Path

import pytest

from model.errors import InputError
from training.dataset import FeatureDataset
from training.features import DONE


@pytest.mark.parametrize("photos", [0, 20])
def test_features_that_another_process_still_writes_are_refused(made_up: Path, tmp_path: Path, photos: int) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    os.truncate(tmp_path / "chroma.raw", photos * 2 * 64 * 64 * 2)
    with pytest.raises(InputError, match="features: expected whole arrays"):
        FeatureDataset([[tmp_path]], held_out=0.2)


def test_views_of_different_photos_are_refused(made_up: Path, tmp_path: Path) -> None:
    """A photo may go after the first view."""
    fewer = tmp_path / "fewer"
    shutil.copytree(made_up, fewer)
    done = json.loads((fewer / DONE).read_text())
    for array in fewer.glob("*.raw"):
        os.truncate(array, array.stat().st_size // done["photos"])
    (fewer / DONE).write_text(json.dumps(done | {"photos": 1}))
    with pytest.raises(InputError, match="data: expected the same photos in each view"):
        FeatureDataset([[made_up, fewer]], held_out=0.2)

"""Features on disk must be complete, or they are refused."""

import os
import shutil
from pathlib import Path

import pytest

from model.errors import InputError
from training.dataset import FeatureDataset


@pytest.mark.parametrize("photos", [0, 20])
def test_features_that_another_process_still_writes_are_refused(made_up: Path, tmp_path: Path, photos: int) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    os.truncate(tmp_path / "chroma.raw", photos * 2 * 64 * 64 * 2)
    with pytest.raises(InputError, match="features: expected whole arrays"):
        FeatureDataset([[tmp_path]], held_out=0.2)

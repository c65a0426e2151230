"""Batches of features: what a run has had before can be skipped."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import InputError
from training.dataset import FeatureDataset


def test_batches_that_are_skipped_are_those_that_were_had(made_up: Path) -> None:
    dataset = FeatureDataset([[made_up, made_up]], held_out=0.2)
    every = dataset.batches(6, np.random.default_rng(3))
    rest = dataset.batches(6, np.random.default_rng(3), skip=7)  # 32 photos: five batches, then a new order
    had = [next(every) for _ in range(10)]
    assert not torch.equal(had[0].chroma, had[7].chroma)
    for batch in had[7:]:
        assert torch.equal(next(rest).chroma, batch.chroma)


@pytest.mark.parametrize("photos", [0, 20])
def test_features_that_another_process_still_writes_are_refused(made_up: Path, tmp_path: Path, photos: int) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    os.truncate(tmp_path / "chroma.raw", photos * 2 * 64 * 64 * 2)
    with pytest.raises(InputError, match="features: expected whole arrays"):
        FeatureDataset([[tmp_path]], held_out=0.2)

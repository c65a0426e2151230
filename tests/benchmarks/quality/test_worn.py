"""The benchmark of worn photos, on a tiny network."""

import numpy as np

from benchmarks.quality.worn import KINDS, measure_wear
from model.colorizer import CinnColorizer


def test_every_kind_of_wear_is_measured(colorizer: CinnColorizer) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(32, 0).repeat(32, 1)
    found = measure_wear(colorizer, photo, 0)
    assert found.keys() == KINDS.keys()
    assert found["unworn"]["to the unworn"] == 0
    assert all(each["to the unworn"] > 0 for kind, each in found.items() if kind != "unworn")
    assert all(np.isfinite(list(each.values())).all() for each in found.values())

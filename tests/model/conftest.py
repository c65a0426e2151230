"""The tiny network as a colorizer, and a photo."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.colorizer import CinnColorizer
from model.flow.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def colorizer(tiny_checkpoint: Checkpoint) -> CinnColorizer:
    return CinnColorizer(tiny_checkpoint, "cpu")


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)

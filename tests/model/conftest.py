"""The tiny network as a colorizer, and a photo."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.colorizer import CinnColorizer
from model.flow.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the tiny network's compiled graphs; networks with other weights must not use it."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def colorizer(tiny_checkpoint: Checkpoint, graphs: Path) -> CinnColorizer:
    return CinnColorizer(tiny_checkpoint, "cpu", graphs)


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)

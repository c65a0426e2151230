"""A photo."""

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)

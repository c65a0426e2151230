"""A photo, and what colors it."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from model.colorizer import CinnColorizer, Colorings, colorize


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)


@pytest.fixture
def color(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> Callable[..., Colorings]:
    """A function that colors the photo: options in, and a reference where they ask for one."""
    return partial(colorize, colorizer, photo)

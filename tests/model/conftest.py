"""A photo, and a function that colors it."""

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
    """A function that colors the photo with options, and with a reference where they need one."""
    return partial(colorize, colorizer, photo)

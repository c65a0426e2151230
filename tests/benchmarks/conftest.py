"""Networks that programs load."""

from collections.abc import Iterator
from functools import cache

import pytest

from model import colorizer

load_once = cache(colorizer.load_colorizer)


@pytest.fixture(scope="module", autouse=True)
def networks_are_loaded_once() -> Iterator[None]:
    """Most programs load the same file, so they share its network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colorizer, "load_colorizer", load_once)
        yield

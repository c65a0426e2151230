"""What numba compiles is kept where it can be, and serves where it cannot."""

import errno
from collections.abc import Callable

import numba
import pytest
from numba.core import caching

from model.compiling import compiled


def add_one() -> Callable[[float], float]:
    @compiled("float64(float64)", cache=True)
    def function(x: float) -> float:
        return x + 1

    return function


def test_a_full_disk_keeps_nobody_from_compiling(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", refuse)
    with pytest.raises(OSError, match="No space"):
        numba.njit("float64(float64)", cache=True)(lambda x: x)
    assert add_one()(2.0) == 3.0


def test_no_folder_keeps_nobody_from_compiling(monkeypatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(lambda x: x)
    assert add_one()(2.0) == 3.0

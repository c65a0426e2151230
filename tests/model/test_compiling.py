"""Compiled functions are cached where possible, and work where not."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numba
import pytest
from numba.core import caching

MODULE = """
from model.compiling import compiled

@compiled("float64(float64)", cache=True)
def added(x):
    return x + {}
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], float]:
    """A function that compiles x + n, or takes it from the cache, and returns its result for x = 1."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))

    def added(n: int) -> float:
        path = tmp_path / "kept.py"
        path.write_text(MODULE.format(n))
        os.utime(path, (n, n))  # numba checks the date
        module: dict[str, Any] = {"__name__": "kept"}
        exec(compile(path.read_text(), path, "exec"), module)  # noqa: S102 - our own words
        return module["added"](1.0)

    return added


@pytest.mark.parametrize("step", ["save", "_save_data", "_save_index"])
def test_a_full_disk_keeps_nobody_from_compiling(kept, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A cached function of an earlier version is not taken for the new one."""
    assert kept(1) == 2
    with monkeypatch.context() as full:
        full.setattr(caching.IndexDataCacheFile, step, Mock(side_effect=OSError(errno.ENOSPC, "No space left")))
        assert kept(100) == 101
    assert kept(100) == 101


def test_what_cannot_be_read_is_compiled_anew(kept, tmp_path: Path) -> None:
    assert kept(1) == 2
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    index.write_bytes(b"")
    assert kept(1) == 2


def test_without_compiling_there_is_the_function(kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert kept(1) == 2


def test_no_folder_keeps_nobody_from_compiling(kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert kept(1) == 2

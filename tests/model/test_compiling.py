"""Compiled functions are kept where they can be, and serve where they cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from model.compiling import compiled

@compiled("float64(float64)", cache=True)
def added(x):
    return x + {}
"""
FULL = """
import errno
from numba.core import caching

def refuse(*_):
    raise OSError(errno.ENOSPC, "No space left on device")

caching.IndexDataCacheFile.{} = refuse
"""


@pytest.fixture
def kept(tmp_path: Path):
    """A function that starts a program which compiles x + n, and returns what it makes of 1."""

    def added(n: int, before: str = "", **variables: str) -> float:
        path = tmp_path / "kept.py"
        path.write_text(MODULE.format(n))
        os.utime(path, (n, n))  # numba looks at the date
        code = f"{before}\nimport kept\nprint(kept.added(1.0))"
        search = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
        environment = os.environ | {"PYTHONPATH": search, "NUMBA_CACHE_DIR": str(tmp_path / "cache")} | variables
        command = [sys.executable, "-c", code]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
        return float(result.stdout)

    return added


@pytest.mark.parametrize("step", ["save", "_save_data", "_save_index"])
def test_a_full_disk_keeps_nobody_from_compiling(kept, step: str) -> None:
    """Nor does what was kept of an earlier version pass for the new one."""
    assert kept(1) == 2
    assert kept(100, FULL.format(step)) == 101
    assert kept(100) == 101


def test_what_cannot_be_read_is_compiled_anew(kept, tmp_path: Path) -> None:
    assert kept(1) == 2
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    index.write_bytes(b"")
    assert kept(1) == 2


def test_without_compiling_there_is_the_function(kept) -> None:
    assert kept(1, NUMBA_DISABLE_JIT="1") == 2


def test_no_folder_keeps_nobody_from_compiling(kept) -> None:
    assert kept(1, "from numba.core import caching\ncaching.CacheImpl._locator_classes = []") == 2

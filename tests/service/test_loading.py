"""What must be so before the network's library is loaded."""

import subprocess
import sys

import pytest

CODE = """
import os, sys
from service.loading import load_colorizer
from service.settings import Settings

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))

sys.meta_path.insert(0, Watch())
try:
    load_colorizer(Settings(weights="no-such-file"))
except Exception:
    pass
"""


@pytest.mark.parametrize(("given", "found"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_that_wait_sleep_unless_told_otherwise(monkeypatch, given: dict[str, str], found: str) -> None:
    """OpenMP reads its settings once, while torch is loaded."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split()[0] == found

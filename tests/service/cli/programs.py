"""The whole command line with the fake colorizer, in another process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROOT", "started", "tintflow"]

ROOT = Path(__file__).parents[3]
PROGRAM = """
import service.loading
from service.cli import main
from tests.service.fake_colorizer import FakeColorizer
{more}
service.loading.load_colorizer = lambda settings: FakeColorizer()
main()
"""


def tintflow(*words: str, more: str = "") -> list[str]:
    """Return a command of tintflow; `more` is code that changes the fake colorizer."""
    return [sys.executable, "-c", PROGRAM.format(more=more), *words]


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a program in this folder, without this process's settings; end it if a test fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINTFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()

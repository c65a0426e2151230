"""Programs of a few lines around the fake colorizer, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROOT", "started"]

ROOT = Path(__file__).parents[3]


@contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program in this folder, without this process's settings; end it where a test fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINTFLOW_")}
    command = [sys.executable, "-c", program]
    environment |= {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()

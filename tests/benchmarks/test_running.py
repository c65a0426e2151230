"""A benchmark that is killed leaves no service behind."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.service.waiting import eventually

START_SECONDS = 200  # on a busy machine
END_SECONDS = 30


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells a process that its parent ended")
def test_a_benchmark_that_is_killed_leaves_no_service(tiny_weights: Path) -> None:
    benchmark = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.recovery"],
        env=os.environ | {"TINTFLOW_WEIGHTS": str(tiny_weights), "TINTFLOW_DEVICE": "cpu"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = psutil.Process(benchmark.pid)
    eventually(lambda: benchmark.poll() is not None or len(started.children(recursive=True)) > 1, START_SECONDS)
    left = started.children(recursive=True)  # the service and its first decoder
    assert benchmark.poll() is None
    benchmark.kill()
    benchmark.wait()
    try:
        eventually(lambda: all(map(has_ended, left)), END_SECONDS)
    finally:
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process has ended, also where nobody takes its exit status, as in a container without an init."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

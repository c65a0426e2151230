"""The real service with the released weights, run as a separate process for benchmarks."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil

from benchmarks.photos import as_file

__all__ = ["COMMAND", "PATH", "Service", "end_with_parent", "free_port", "made_up_photo", "running", "wait_until_ready"]

START_SECONDS = 600.0
"""Longest time to load the network, on a busy machine."""
STOP_SECONDS = 180.0
POLL_SECONDS = 0.05
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
COMMAND = "import service.cli; (getattr(service.cli, 'app', None) or service.cli.main)()"
"""Runs the `tintflow` command of the current checkout; older checkouts name it `app`."""
PATH = "/v1/colorizations"


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    process: psutil.Process
    start_seconds: float
    """from the command until ready"""

    @property
    def processes(self) -> list[psutil.Process]:
        """The service's process, and those it started."""
        return [self.process, *self.process.children(recursive=True)]

    @property
    def cpu_seconds(self) -> float:
        """User and system seconds of all processes; steadier than the clock on a busy machine."""
        times = [process.cpu_times() for process in self.processes]
        return sum(each.user + each.system for each in times)


@contextmanager
def running(
    environment: Mapping[str, str] | None = None, folder: Path | None = None, log: Path = Path(os.devnull)
) -> Iterator[Service]:
    """Start `tintflow serve` on a free port, wait until it is ready, and end it with SIGTERM.

    folder: checkout to serve from; None means this one. log: file for its log.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    quiet = {"TINTFLOW_LOG_FORMAT": "json", "MALLOC_ARENA_MAX": "8"} | dict(environment or {})
    started = time.monotonic()
    with log.open("wb") as lines:
        process = subprocess.Popen(  # noqa: S603 - this Python, this package
            [sys.executable, "-c", COMMAND, "serve", "--port", str(port)],
            env=os.environ | quiet,
            cwd=folder,
            stderr=lines,
            preexec_fn=end_with_parent,
        )
    try:
        wait_until_ready(url, process)
        yield Service(url, psutil.Process(process.pid), time.monotonic() - started)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def end_with_parent() -> None:
    """Have the system end this forked process by SIGTERM when its parent dies: a killed benchmark leaves no server."""
    if hasattr(LIBC, "prctl"):  # Linux
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until the service is ready. Raises RuntimeError if it ends or never is."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=url) as client:
        while time.monotonic() < deadline and (process is None or process.poll() is None):
            with suppress(httpx.TransportError):
                if client.get("/readyz").status_code == 200:
                    return
            time.sleep(POLL_SECONDS)
    raise RuntimeError("the service did not become ready")


def made_up_photo(width: int, height: int, file_format: str = "JPEG", color: bool = False) -> bytes:
    """Return a synthetic photo as a file: smooth areas, edges and grain."""
    generator = np.random.default_rng(0)
    channels = 3 if color else 1
    soft = cv2.resize(generator.uniform(20, 230, (9, 12, channels)), (width, height), interpolation=cv2.INTER_CUBIC)
    hard = cv2.resize(generator.uniform(-30, 30, (20, 30)), (width, height), interpolation=cv2.INTER_NEAREST)
    grain = generator.normal(0, 3, (height, width))
    pixels = soft.reshape(height, width, channels) + (hard + grain)[..., None]
    return as_file(pixels.clip(0, 255).astype(np.uint8).squeeze(), file_format)

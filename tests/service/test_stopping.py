"""SIGTERM under load, with the real process and a real, small network: nobody who was let in is let down."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

CLIENTS = 12
WAITING = 6
"""requests that must be in the service when it is told to stop"""
PATIENCE_SECONDS = 90  # on a busy machine
GRACE_SECONDS = 60


@dataclass
class Process:
    """The service in a process of its own, and what it logs."""

    url: str
    running: subprocess.Popen[bytes]
    log: Path

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics", timeout=PATIENCE_SECONDS).text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def logged(self) -> dict[str, int]:
        """Return the status of each request for colorings, by its number."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return {line["request_id"]: line["status"] for line in lines if line.get("path") == "/v1/colorizations"}


@pytest.fixture
def process(tiny_weights: Path, tmp_path: Path) -> Iterator[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"TINTFLOW_WEIGHTS": str(tiny_weights), "TINTFLOW_DEVICE": "cpu", "TINTFLOW_LOG_FORMAT": "json"}
    log = tmp_path / "log"
    with log.open("wb") as file:
        running = subprocess.Popen(  # noqa: S603 - this Python, this package
            [sys.executable, "-c", "from service.cli.program import app; app()", "serve", "--port", str(port)],
            env=os.environ | settings | {"OMP_NUM_THREADS": "1"},
            stderr=file,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: running.poll() is None and is_ready(url))
        yield Process(url, running, log)
    finally:
        running.kill()
        running.wait()


def wait_until(condition) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "did not happen in time"
        time.sleep(0.02)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


def test_the_first_line_says_whether_keys_are_required(process: Process) -> None:
    first = next(json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{"))
    assert (first["event"], first["keys_required"]) == ("starting", False)


class Clients:
    """Clients that each ask again and again, on a new connection each time, until they are not answered 200."""

    def __init__(self, url: str, photo: bytes) -> None:
        self.answers: dict[str, tuple[int, float]] = {}
        """status, and when it came, by the request's number"""
        self.unanswered: set[str] = set()
        self._url, self._photo = f"{url}/v1/colorizations", photo
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a client still waits"

    def _ask(self, client: int) -> None:
        status, i = 200, 0
        while status == 200:
            number, i = f"{client}-{i}", i + 1
            headers = {"X-Request-Id": number, "Connection": "close"}
            try:
                answer = httpx.post(
                    self._url, files={"image": self._photo}, data={"n": "8"}, headers=headers, timeout=PATIENCE_SECONDS
                )
            except httpx.TransportError:
                self.unanswered.add(number)
                return
            status = answer.status_code
            self.answers[number] = status, time.monotonic()


def test_sigterm_under_load(process: Process, encoded) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    clients = Clients(process.url, encoded(Image.fromarray(levels)))
    wait_until(lambda: process.metric("tintflow_accepted_requests") >= WAITING)
    told = time.monotonic()
    process.running.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_ready(process.url))
    assert process.running.wait(GRACE_SECONDS) in (0, -signal.SIGTERM)
    clients.wait()
    logged = process.logged()
    assert {number: status for number, (status, _) in clients.answers.items()} == logged
    assert set(logged.values()) <= {200, 503}, "whoever was let in was answered, the others were told to come later"
    assert not clients.unanswered & set(logged), "whoever got no answer had not been let in"
    assert sum(status == 200 and at > told for status, at in clients.answers.values()) >= WAITING

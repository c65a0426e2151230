"""SIGTERM under load, with the real process and a real, small network: nobody who was let in is let down."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.running import Service, running
from service.cli.statuses import INTERRUPTED
from tests.service.files import encoded, random_image
from tests.service.waiting import eventually

CLIENTS = 12
WAITING = 6
"""requests that must be in the service when it is told to stop"""
PATIENCE_SECONDS = 90  # on a busy machine
GRACE_SECONDS = 60


@dataclass
class Process:
    """The service in a process of its own, and what it logs."""

    service: Service
    log: Path

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.service.url}/metrics", timeout=PATIENCE_SECONDS).text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def process(tiny_weights: Path, tmp_path: Path) -> Iterator[Process]:
    settings = {"TINTFLOW_WEIGHTS": str(tiny_weights), "TINTFLOW_DEVICE": "cpu"}
    with running(settings, log=tmp_path / "log") as service:
        yield Process(service, tmp_path / "log")


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


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


@pytest.fixture
def clients(process: Process) -> Clients:
    """Clients of the process, enough of whose requests are in it."""
    clients = Clients(process.service.url, encoded(random_image(256, 256)))
    eventually(lambda: process.metric("tintflow_accepted_requests") >= WAITING)
    return clients


def test_sigterm_under_load(process: Process, clients: Clients) -> None:
    told = time.monotonic()
    process.service.process.send_signal(signal.SIGTERM)
    eventually(lambda: not is_ready(process.service.url))
    assert process.service.process.wait(GRACE_SECONDS) == 0
    clients.wait()
    asked = [line for line in process.lines() if line.get("path") == "/v1/colorizations"]
    logged = {line["request_id"]: line["status"] for line in asked}
    assert {number: status for number, (status, _) in clients.answers.items()} == logged
    assert set(logged.values()) <= {200, 503}, "whoever was let in was answered, the others were told to come later"
    assert not clients.unanswered & set(logged), "whoever got no answer had not been let in"
    assert sum(status == 200 and at > told for status, at in clients.answers.values()) >= WAITING


def test_a_second_ctrl_c_waits_for_nobody(process: Process, clients: Clients) -> None:
    process.service.process.send_signal(signal.SIGINT)
    eventually(lambda: "Shutting down" in process.log.read_text())
    process.service.process.send_signal(signal.SIGINT)
    assert process.service.process.wait(GRACE_SECONDS) == INTERRUPTED
    clients.wait()
    assert clients.unanswered
    assert "Traceback" not in process.log.read_text()

"""SIGTERM under load, with the real process and a small network: every accepted request is answered."""

import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest

from benchmarks.running import PATH, Service, running
from service.cli.statuses import INTERRUPTED
from tests.service.files import encoded, random_image
from tests.service.waiting import eventually

CLIENTS = 12
WAITING = 6
"""requests that must be in the service when it is told to stop"""
PATIENCE_SECONDS = 90  # on a busy machine
GRACE_SECONDS = 60


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file with all output of the service."""
    return tmp_path / "log"


@pytest.fixture
def service(tiny_file: Path, log: Path) -> Iterator[Service]:
    """The service in another process."""
    with running({"TINTFLOW_WEIGHTS": str(tiny_file), "TINTFLOW_DEVICE": "cpu"}, log=log) as service:
        yield service


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


class Clients:
    """Clients that repeat requests, each on a new connection, until an answer is not 200."""

    def __init__(self, url: str, photo: bytes) -> None:
        self.answers: dict[str, tuple[int, float]] = {}
        """status, and when it came, by the request's number"""
        self.unanswered: set[str] = set()
        self._url, self._photo = f"{url}{PATH}", photo
        threads = ThreadPoolExecutor(CLIENTS)
        self._asking = [threads.submit(self._ask, client) for client in range(CLIENTS)]

    def wait(self) -> None:
        for client in self._asking:
            client.result(PATIENCE_SECONDS)

    def _ask(self, client: int) -> None:
        for i in count():
            number = f"{client}-{i}"
            form = {"files": {"image": self._photo}, "data": {"n": "8"}}
            headers = {"X-Request-Id": number, "Connection": "close"}
            try:
                answer = httpx.post(self._url, **form, headers=headers, timeout=PATIENCE_SECONDS)
            except httpx.TransportError:
                self.unanswered.add(number)
                return
            self.answers[number] = answer.status_code, time.monotonic()
            if answer.status_code != 200:
                return


@pytest.fixture
def clients(service: Service) -> Clients:
    """Clients of the service, which has enough of their requests."""
    clients = Clients(service.url, encoded(random_image(256, 256)))

    def accepted() -> float:
        metrics = httpx.get(f"{service.url}/metrics", timeout=PATIENCE_SECONDS).text
        return float(re.findall(r"^tintflow_accepted_requests (\S+)", metrics, re.MULTILINE)[0])

    eventually(lambda: accepted() >= WAITING)
    return clients


def test_sigterm_under_load(service: Service, log: Path, clients: Clients) -> None:
    told = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    eventually(lambda: not is_ready(service.url))
    assert service.process.wait(GRACE_SECONDS) == 0
    clients.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    logged = {line["request_id"]: line["status"] for line in lines if line.get("path") == PATH}
    assert {number: status for number, (status, _) in clients.answers.items()} == logged
    assert set(logged.values()) <= {200, 503}, "whoever was let in was answered, the others were told to come later"
    assert not clients.unanswered & set(logged), "whoever got no answer had not been let in"
    assert sum(status == 200 and at > told for status, at in clients.answers.values()) >= WAITING


def test_a_second_ctrl_c_waits_for_nobody(service: Service, log: Path, clients: Clients) -> None:
    service.process.send_signal(signal.SIGINT)
    eventually(lambda: "Shutting down" in log.read_text())
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(GRACE_SECONDS) == INTERRUPTED
    clients.wait()
    assert clients.unanswered
    assert "Traceback" not in log.read_text()

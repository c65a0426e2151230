"""The service on two nodes: same answers as one process, no request lost with a replica, and scaling.

`make cluster-test` runs these tests, which build on each other: growing load, a kill under load, then rest.
"""

import io
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.running import running
from service.client import Client
from tests.service.problems import assert_problem
from tests.service.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PHOTO = Path(__file__).parents[2] / "docs/pictures/grey.jpg"
SEEDS = (1, 2, 3)
ASKED = {"n": 2, "output_format": "png"}
CLIENTS = 8
WAIT_SECONDS = 300
WORK_SECONDS = 1.0  # least processor time of a replica that takes part

Images = list[NDArray[np.int16]]


def ask(client: Client, seed: int) -> Images:
    answer = client.colorizations(PHOTO.read_bytes(), seed=seed, **ASKED)
    return [np.asarray(Image.open(io.BytesIO(each.content)), np.int16) for each in answer.data]


@pytest.fixture(scope="module")
def expected() -> dict[int, Images]:
    """The answers of one process."""
    with running({"TINTFLOW_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}) as one, Client(one.url) as client:
        return {seed: ask(client, seed) for seed in SEEDS}


class Load:
    """Clients with this project's retries; each sends one request after another."""

    def __init__(self, url: str, expected: dict[int, Images]) -> None:
        self._url, self._expected = url, expected
        self.stop = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self.worst = 0
        """levels between an answer and that of one process"""

    def run(self, number: int) -> None:
        with Client(self._url, retries=30, max_wait=60, timeout=120) as client:
            while not self.stop.is_set():
                seed = SEEDS[(number + self.answered) % len(SEEDS)]
                try:
                    images = ask(client, seed)
                except Exception as error:  # any error means a lost request
                    self.failures.append(f"{type(error).__name__}: {error}")
                    continue
                pairs = zip(images, self._expected[seed], strict=True)
                self.worst = max(self.worst, *(int(np.abs(a - b).max()) for a, b in pairs))
                self.answered += 1


@contextmanager
def load(url: str, expected: dict[int, Images]) -> Iterator[Load]:
    made = Load(url, expected)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(CLIENTS):
            pool.submit(made.run, number)
        try:
            yield made
        finally:
            made.stop.set()


def test_it_serves_the_same_routes(service) -> None:
    page, models = httpx.get(service.url), httpx.get(f"{service.url}/v1/models").json()
    assert page.headers["content-type"].startswith("text/html")
    assert models["data"][0]["id"].startswith("tintflow-")
    refused = httpx.post(f"{service.url}/v1/colorizations", files={"image": b"no image"})
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_image_type")
    assert len(refused.headers.get_list("x-request-id")) == 1


def test_a_full_queue_is_429_and_says_when_to_come_again(service) -> None:
    asked = {"files": {"image": PHOTO.read_bytes()}, "data": {"n": "4"}, "timeout": 120}
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: httpx.post(f"{service.url}/v1/colorizations", **asked), range(24)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < len(answers)
    for answer in refused:
        assert_problem(answer, 429, "queue_full")


def test_two_replicas_answer_as_one_process_and_any_may_be_killed(service, expected) -> None:
    service.wait_for_replicas(1)  # earlier tests' replicas are gone
    with load(service.url, expected) as made:
        service.wait_for_replicas(2)  # the load starts the second
        replicas = service.replicas()
        begun = [each.cpu_times().user for each in replicas]
        pairs = list(zip(replicas, begun, strict=True))
        eventually(lambda: all(each.cpu_times().user > since + WORK_SECONDS for each, since in pairs), WAIT_SECONDS)
        before = made.answered
        eventually(lambda: made.answered >= before + CLIENTS, WAIT_SECONDS)
        killed = [replicas[0], *service.replicas("Ingress")]
        for replica in killed:  # first a replica of the model, later the only one with the routes
            replica.send_signal(signal.SIGKILL)
            replica.wait(30)
            at_kill = made.answered
            eventually(lambda before=at_kill: made.answered >= before + 3 * CLIENTS, WAIT_SECONDS)
        service.wait_for_replicas(2)  # another has taken its place
    print(f"\n{made.answered} answers, {before} before the kills; at most {made.worst} levels from one process's")
    assert not made.failures
    assert made.worst <= 1
    alive = {each.pid for name in ("Model", "Ingress") for each in service.replicas(name)}
    assert not alive & {each.pid for each in killed}


def test_it_scales_down_when_nobody_asks(service) -> None:
    service.wait_for_replicas(1)
    with Client(service.url) as client:
        assert len(ask(client, SEEDS[0])) == 2

"""The engine: loading, waiting, deadlines and stopping."""

import re
import time
from unittest.mock import AsyncMock, Mock

import httpx
import pytest
from fastapi import FastAPI

from service.cli.server import server_config
from service.settings import Settings
from tests.service.problems import assert_problem
from tests.service.waiting import PATIENCE_SECONDS, begun_upload, eventually

PATH = "/v1/colorizations"


def statuses(service) -> dict[str, str]:
    """Return the number of requests for colorings by status."""
    count = r'^tintflow_requests_total{.*path="/v1/colorizations",status="(\d+)"} (\S+)'
    return dict(re.findall(count, service.client.get("/metrics").text, re.MULTILINE))


def test_not_ready_until_loaded_and_warm(loading, grey_png) -> None:
    service, loaded = loading
    service.colorizer.gate.clear()
    for answer in (service.client.get("/readyz"), service.client.get("/v1/models"), service.post(grey_png)):
        assert_problem(answer, 503, "loading")
    assert service.client.get("/livez").status_code == 200
    loaded.set()
    assert service.colorizer.entered.acquire(timeout=PATIENCE_SECONDS), "not warmed up"
    assert service.client.get("/readyz").status_code == 503, "ready before it was warm"
    service.colorizer.gate.set()
    service.wait_until_ready()
    assert service.post(grey_png).status_code == 200


def test_failed_load_is_told_and_stops_the_server(start, monkeypatch) -> None:
    monkeypatch.setattr("service.cli.server.Server.on_tick", AsyncMock(return_value=False))  # it goes on
    service = start(Mock(side_effect=FileNotFoundError("no weights")))
    eventually(lambda: service.client.get("/readyz").json().get("code") == "load_failed")
    assert service.client.get("/livez").status_code == 200
    monkeypatch.undo()
    eventually(lambda: service.server.servers and not service.server.servers[0].is_serving())


def test_inference_has_one_thread_of_its_own(service, pool, grey_png) -> None:
    answers = list(pool.map(lambda _: service.post(grey_png), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    (thread,) = service.colorizer.threads
    assert thread.startswith("inference")


def test_deadline_drops_the_work_that_has_not_begun(service, pool, grey_png, monkeypatch) -> None:
    service.hurry(grey_png, 1.5, monkeypatch)
    before = len(service.colorizer.photos)
    busy = service.occupy(pool, grey_png)
    waiting = [pool.submit(service.post, grey_png) for _ in range(4)]
    for late in (busy, *waiting):
        assert_problem(late.result(), 504, "deadline")
    eventually(lambda: service.metric("accepted_requests") == 0)
    monkeypatch.undo()
    service.colorizer.gate.set()
    assert service.post(grey_png).status_code == 200
    assert len(service.colorizer.photos) - before == 2, "an expired request was worked on"


def test_slow_upload_meets_the_deadline(service, monkeypatch) -> None:
    monkeypatch.setitem(service.settings, "deadline_seconds", 0.2)

    def trickle():
        yield b'{"image": "'
        time.sleep(0.5)
        yield b'AAAA"}'

    answer = service.client.post(PATH, content=trickle(), headers={"Content-Type": "application/json"})
    assert_problem(answer, 504, "deadline", "upload was not complete within 0.2 seconds", "a smaller file")


def test_a_client_that_leaves_holds_no_place_and_gets_no_work(start, pool, grey_png) -> None:
    service = start()
    with begun_upload(service, "Content-Type: application/json", "Content-Length: 1000") as connection:
        connection.sendall(b'{"image": "')
        eventually(lambda: service.metric("accepted_requests") == 1)
    eventually(lambda: service.metric("accepted_requests") == 0)
    service.wait_until_idle()
    assert statuses(service) == {"499": "1.0"}
    warm_ups = len(service.colorizer.photos)
    busy = service.occupy(pool, grey_png)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(service.client.base_url.join(PATH), files={"image": grey_png}, timeout=0.3)
    eventually(lambda: service.metric("accepted_requests") == 1)
    eventually(lambda: statuses(service)["499"] == "2.0")
    service.colorizer.gate.set()
    assert busy.result().status_code == 200
    assert service.post(grey_png).status_code == 200
    assert len(service.colorizer.photos) - warm_ups == 2, "worked for a client that had gone"


def test_stopping_waits_for_answers_to_be_made_and_read() -> None:
    config = server_config(FastAPI(), Settings(deadline_seconds=2.5))
    assert 5 <= config.timeout_graceful_shutdown <= 6


def test_a_stopping_service_is_not_ready(start, grey_png) -> None:
    service = start()
    service.app.state.engine.drain()
    for answer in (service.client.get("/readyz"), service.post(grey_png)):
        assert_problem(answer, 503, "draining")

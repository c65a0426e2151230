"""Event streams (`Accept: text/event-stream`), which send each coloring as soon as it is made."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse

import httpx
import pytest

from service.errors import QueueFullError
from service.http import events as module
from service.http.openapi import ColorizationEvent
from tests.service.waiting import PATIENCE_SECONDS, eventually, unread_answer

EVENTS = {"Accept": "text/event-stream"}
PATHS = {
    "/v1/colorizations": {"n": 3, "seed": 7},
    "/v1/images/edits": {"n": 3, "seed": 7, "prompt": "colorize"},
}


def parse(text: str) -> list[tuple[str, dict]]:
    """Return (event, data) pairs of a whole stream, without comments. All must be as the OpenAPI document says."""
    assert text.endswith("\n\n")
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        if not block.startswith(":"):
            name, data = re.fullmatch(r"event: (\w+)\ndata: (.+)", block).groups()  # type: ignore[union-attr]
            event = {"event": name, "data": json.loads(data)}
            assert ColorizationEvent.model_validate(event).model_dump(exclude_none=True) == event
            found.append((name, event["data"]))
    return found


@pytest.fixture
def held(service, monkeypatch) -> Iterator[tuple]:
    """A service that makes one coloring per permit, and a function that gives permits."""
    permits, finish, made = threading.Semaphore(0), service.colorizer.finish, []

    def one_by_one(photo, drawn, look):
        for each in finish(photo, drawn, look):
            assert permits.acquire(timeout=PATIENCE_SECONDS)
            made.append(each)
            yield each

    monkeypatch.setattr(service.colorizer, "finish", one_by_one)
    yield service, permits.release, made
    permits.release(100)


def assert_no_more_is_made(permit: Callable[[int], None], made: list[object]) -> None:
    permit(16)
    time.sleep(0.5)
    assert len(made) <= 2, "worked on for nobody"  # a coloring in work may finish


@pytest.mark.parametrize("path", PATHS)
def test_events_say_what_json_says(service, grey_png: bytes, path: str) -> None:
    answer = service.post_to(path, grey_png, EVENTS, **PATHS[path])
    whole = service.post_to(path, grey_png, **PATHS[path]).json()
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    *colorings, (last, done) = parse(answer.text)
    assert [name for name, _ in colorings] == ["coloring"] * 3
    assert [data for _, data in colorings] == whole.pop("data")
    assert last == "done"
    varying = ("id", "created", "timings")
    assert {**done, **dict.fromkeys(varying)} == {**whole, **dict.fromkeys(varying)}
    assert set(done["timings"]) == set(whole["timings"])


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/v1/colorizations", {}), ("/v1/variations", {"seed": 7, "index": 0})],
    ids=["random", "noise"],
)
def test_a_stream_that_is_cut_off_has_said_its_seeds(service, grey_png: bytes, path: str, fields: dict) -> None:
    answer = service.post_to(path, grey_png, EVENTS, n=1, **fields)
    _, (_, done) = parse(answer.text)
    names = ("Tintflow-Seed", "Tintflow-Noise-Seed")
    assert [answer.headers.get(name) for name in names] == [
        None if done.get(key) is None else str(done[key]) for key in ("seed", "noise_seed")
    ]


def test_a_coloring_comes_before_the_next_is_made(held, grey_png: bytes) -> None:
    service, permit, made = held
    form = {"files": {"image": grey_png}, "data": {"n": "3"}, "headers": EVENTS}
    permit()
    with service.client.stream("POST", "/v1/colorizations", **form) as answer:
        lines = answer.iter_lines()
        for count in (1, 2, 3):
            assert next(lines) == "event: coloring"
            assert json.loads(next(lines).removeprefix("data: "))["index"] == count - 1
            assert next(lines) == ""
            assert len(made) == count
            permit()
        assert next(lines) == "event: done"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError("foreseen by nobody"), "internal_error"),
        (QueueFullError("no room", 7), "queue_full"),
        (None, "deadline"),
    ],
)
def test_what_goes_wrong_later_is_an_event(service, grey_png: bytes, monkeypatch, error, code: str) -> None:
    service.hurry(grey_png, 30 if error else 1.5, monkeypatch)
    finish, late = service.colorizer.finish, threading.Event()

    def failing(photo, drawn, look):
        images = finish(photo, drawn, look)
        yield next(images)
        if error:
            raise error
        assert late.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(service.colorizer, "finish", failing)
    with service.log() as lines:
        answer = service.post(grey_png, EVENTS, n=2)
        late.set()
        (coloring, _), (name, problem) = parse(answer.text)
    assert (answer.status_code, coloring, name) == (200, "coloring", "error")
    assert (problem["code"], problem["type"]) == (code, "about:blank")
    assert problem.get("retry_after") == (7 if code == "queue_full" else None)
    assert "foreseen" not in answer.text
    assert ("read faster" in problem["detail"]) == (code == "deadline"), "its upload was in time"
    assert [line["code"] for line in lines if line["event"] == "request"] == [code]
    assert service.client.get("/readyz").status_code == 200


def test_silence_is_filled_with_comments(held, grey_png: bytes, monkeypatch) -> None:
    service, permit, _ = held
    monkeypatch.setattr(module, "KEEP_ALIVE_SECONDS", 0.05)
    form = {"files": {"image": grey_png}, "data": {"n": "1"}, "headers": EVENTS}
    with service.client.stream("POST", "/v1/colorizations", **form) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(4)] == [": keep-alive", ""] * 2
        permit()
        permit()
        rest = "\n".join(lines) + "\n"
    assert [name for name, _ in parse(rest.lstrip("\n"))] == ["coloring", "done"]


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json", "application/zip"])
def test_a_cut_connection_ends_the_work(held, grey_png: bytes, accept: str) -> None:
    service, permit, made = held
    form = {"files": {"image": grey_png}, "data": {"n": "16"}, "headers": {"Accept": accept}}
    permit()
    with service.log() as lines, service.client.stream("POST", "/v1/colorizations", **form) as answer:
        assert next(answer.iter_raw(16))
    assert [line["code"] for line in lines if line["event"] == "request"] == ["client_gone"]
    assert not [line for line in lines if line["log_level"] == "warning"], "nothing is wrong with the service"
    assert_no_more_is_made(permit, made)
    assert service.client.get("/readyz").status_code == 200


def test_no_more_is_made_after_the_deadline(held, grey_png: bytes, monkeypatch) -> None:
    service, permit, made = held
    permit()
    service.hurry(grey_png, 1.5, monkeypatch)
    made.clear()
    permit()
    with service.log() as lines, pytest.raises(httpx.TransportError):  # the answer had begun, so it is cut off
        service.post(grey_png, n=16)
    assert [line["code"] for line in lines if line["event"] == "request"] == ["deadline"]
    assert_no_more_is_made(permit, made)


def test_a_slow_reader_gets_all_and_stands_in_nobodys_way(start, noise: bytes, grey_png: bytes) -> None:
    service = start(codec_threads=1)
    with unread_answer(service, noise, EVENTS["Accept"], n=2, buffer_bytes=4096) as connection:
        eventually(lambda: len(service.colorizer.finishing) >= 3)  # one of them is the warm-up
        # all is made, nothing is read: threads are free again, and the unread answer keeps its place
        assert service.metric("accepted_requests") == 1
        assert service.post(grey_png, n=1).status_code == 200
        answer = HTTPResponse(connection)
        answer.begin()
        assert service.metric("accepted_requests") == 1, "most of it is still unread"
        text = answer.read().decode()
        eventually(lambda: service.metric("accepted_requests") == 0)
    assert answer.status == 200
    whole = service.post(noise, n=2, seed=7, output_format="png").json()["data"]
    *colorings, (last, _) = parse(text)
    assert last == "done"
    assert [data for _, data in colorings] == whole


def test_nothing_follows_done(service, noise: bytes, monkeypatch) -> None:
    service.hurry(noise, 2, monkeypatch)
    held = service.app.state.engine._backlog.held  # costs less than the metrics
    with service.log() as lines, unread_answer(service, noise, EVENTS["Accept"], n=2, buffer_bytes=4096) as connection:
        eventually(lambda: held("requests") == 1)
        eventually(lambda: held("requests") == 0)  # not read before the deadline
        answer = HTTPResponse(connection)
        answer.begin()
        events = parse(answer.read().decode())
    assert [name for name, _ in events] == ["coloring", "coloring", "done"]
    (answered,) = [line for line in lines if line.get("path") == "/v1/colorizations"]
    assert "code" not in answered, "its client has all of it"

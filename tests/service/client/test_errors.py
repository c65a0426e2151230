"""The client's errors, made from the service's problems, and its retries."""

import email.utils
import inspect
import io
import itertools
import os
import pickle
import re
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from service import client as public
from service.client import AsyncClient, Client, errors
from service.client.errors import problem_of
from service.errors import FieldProblem
from service.http.problems import PROBLEMS, ROUTER_CODES
from service.scheduling.backlog import UNKNOWN_SECONDS

GZIP = {"Content-Encoding": "gzip"}
MODELS = {"object": "list", "data": []}
QUEUE_FULL = httpx.Response(429, json={"code": "queue_full", "detail": "full"}, headers={"Retry-After": "7"})


def answering(*answers: httpx.Response | Exception) -> httpx.MockTransport:
    """Give these answers one after another, and repeat the last one."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, stream=outcome.stream)

    return httpx.MockTransport(answer)


@pytest.mark.parametrize(("status", "code"), sorted({*PROBLEMS.values(), *ROUTER_CODES.items()}))
def test_every_problem_has_a_class_of_its_status_and_crosses_processes(status: int, code: str) -> None:
    body = {"code": code, "detail": "why", "errors": [{"field": "n", "message": "no"}]}
    error = problem_of(httpx.Response(status, json=body, headers={"X-Request-Id": "6b1f"}))
    assert isinstance(error, public.RequestError if status < 500 else public.ServerError)
    assert (str(error), error.status, error.code, error.request_id) == ("why", status, code, "6b1f")
    assert error.errors == (FieldProblem("n", "no"),)
    if kind := errors.BY_CODE.get(code) or errors.BY_STATUS.get(status):
        assert type(error) is kind
    error.add_note("of photo.jpg")
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copied), str(copied), vars(copied)) == (type(error), "why", vars(error))


@pytest.mark.parametrize(
    ("header", "seconds"), [({"Retry-After": "7"}, 7.0), ({}, None), ({"Retry-After": "soon"}, None)]
)
def test_an_error_says_when_to_try_again(header: dict[str, str], seconds: float | None) -> None:
    error = problem_of(httpx.Response(429, json={"code": "queue_full", "detail": "full"}, headers=header))
    assert error.retry_after == seconds


def test_a_redirect_says_where_to() -> None:
    moved = httpx.Response(308, headers={"Location": "https://host/v1/models"})
    said = "^308 Permanent Redirect to https://host/v1/models$"
    with Client(transport=answering(moved)) as client, pytest.raises(public.RequestError, match=said):
        client.models()


def test_codes_are_the_services() -> None:
    assert set(errors.BY_CODE) <= {code for _, code in PROBLEMS.values()}


def test_every_class_is_in_the_documented_tree() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, public.TintflowError)]
    assert len(kinds) > 15
    page = (Path(__file__).parents[3] / "docs/client.md").read_text()
    tree = page[page.index("TintflowError\n├") :]
    for kind in kinds:
        assert re.search(rf"\b{kind.__name__}\b", tree)


def test_a_full_queue_is_waited_for(start: Callable, pool: Executor, grey_png: bytes, monkeypatch) -> None:
    """Over a socket, a request is refused while another has the only place, and served after the requested wait."""
    service, waited = start(queue_length=1), []
    url = str(service.client.base_url)
    service.occupy(pool, grey_png, n=1)

    def wait(seconds: float) -> None:
        waited.append(seconds)
        service.colorizer.gate.set()
        service.wait_until_idle()

    monkeypatch.setattr("service.client.client.time", SimpleNamespace(sleep=wait))
    with Client(url, retries=0) as client, pytest.raises(public.TooManyRequestsError):
        client.colorizations(grey_png)
    with Client(url) as client:
        assert len(client.colorizations(grey_png, n=2).data) == 2
    assert waited == [UNKNOWN_SECONDS]


async def test_retry_after_is_honoured(waits: list[float]) -> None:
    loading = httpx.Response(503, json={"code": "loading"}, headers={"Retry-After": "2"})
    later = email.utils.format_datetime(email.utils.localtime(), usegmt=False)
    dated = httpx.Response(429, headers={"Retry-After": later})
    silent = httpx.Response(503)
    answers = (QUEUE_FULL, loading, dated, silent, httpx.Response(200, json=MODELS))
    with Client(transport=answering(*answers), retries=4) as client:
        client.models()
    assert waits[:2] == [7, 2]
    assert waits[2] == 0  # the date is past by now
    assert waits[3] == 0.5 * 2**3
    async with AsyncClient(transport=answering(QUEUE_FULL, httpx.Response(200, json=MODELS))) as client:
        await client.models()
    assert waits[4:] == [7]


@pytest.mark.parametrize(
    ("answer", "kind", "retries"),
    [
        (QUEUE_FULL, public.TooManyRequestsError, 2),
        (httpx.Response(502, text="<html>"), public.UnavailableError, 2),
        (httpx.Response(503), public.UnavailableError, 2),
        (httpx.ConnectError("refused"), public.ConnectionFailedError, 2),
        (httpx.RemoteProtocolError("closed"), public.ConnectionFailedError, 2),
        (httpx.Response(401), public.AuthenticationError, 0),
        (httpx.Response(404), public.NotFoundError, 0),
        (httpx.Response(418), public.RequestError, 0),
        (httpx.Response(500, json=["no problem"]), public.ServerError, 0),
        (httpx.Response(429, headers={"Retry-After": "61"}), public.TooManyRequestsError, 0),
        (httpx.Response(200, text="<html>"), public.UnreadableAnswerError, 0),
        (httpx.ReadTimeout("slow"), public.TimedOutError, 0),
        (httpx.UnsupportedProtocol("ftp"), public.ConnectionFailedError, 0),
        (httpx.Response(200, headers=GZIP, stream=httpx.ByteStream(b"damaged")), public.ConnectionFailedError, 0),
        (httpx.Response(500, headers=GZIP, stream=httpx.ByteStream(b"damaged")), public.ConnectionFailedError, 0),
    ],
)
def test_what_waiting_may_mend_is_tried_again_and_all_else_raised_at_once(
    waits: list[float], answer, kind: type[public.TintflowError], retries: int
) -> None:
    with Client(transport=answering(answer), retries=2) as client, pytest.raises(kind) as caught:
        client.models()
    assert len(waits) == retries
    if isinstance(caught.value, public.ProblemError) and answer is not QUEUE_FULL:
        assert caught.value.code == errors.UNKNOWN_CODE


REFUSED = httpx.ConnectError("refused")
ANSWER = httpx.Response(200, json=MODELS)
LOADING = httpx.Response(503, headers={"Retry-After": "5"})


def test_a_service_that_has_answered_is_waited_for_while_it_restarts(waits: list[float]) -> None:
    """Its last connection breaks, new ones are refused for a while, and then it loads its model."""
    answers = (ANSWER, httpx.RemoteProtocolError("closed"), *[REFUSED] * 12, LOADING, LOADING, ANSWER)
    with Client(transport=answering(*answers)) as client:
        client.models()
        client.models()
    assert waits == [0.5, *[1.0] * 12, 5, 5]


@pytest.mark.parametrize(
    ("first", "options", "expected"),
    [
        (REFUSED, {}, [0.5, 1, 2]),  # its address may be wrong
        (ANSWER, {}, [*[1.0] * 30, 0.5, 1, 2]),
        (LOADING, {"retries": 1}, [5, *[1.0] * 30]),
        (ANSWER, {"max_wait": 4}, [*[1.0] * 4, 0.5, 1, 2]),
        (ANSWER, {"retries": 0}, []),
    ],
)
def test_a_service_that_stays_away_is_not_waited_for_too_long(
    waits: list[float], first: httpx.Response | Exception, options: dict[str, Any], expected: list[float]
) -> None:
    with Client(transport=answering(first, REFUSED), **options) as client:
        if first is ANSWER:
            client.models()
        with pytest.raises(public.ConnectionFailedError, match="refused"):
            client.models()
    assert waits == expected


def test_the_wait_includes_the_time_to_connect(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=9.0)
    monkeypatch.setattr("service.client.exchange.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Client(transport=answering(ANSWER, REFUSED)) as client:
        client.models()
        with pytest.raises(public.ConnectionFailedError):
            client.models()
    assert waits == [*[1.0] * 3, 0.5, 1, 2]


def test_fewer_than_no_retries_are_refused() -> None:
    with Client(retries=-1) as client, pytest.raises(ValueError, match="retries: expected 0 or more, got -1"):
        client.models()


def test_a_file_is_sent_again_from_its_beginning_and_a_pipe_once(waits: list[float]) -> None:
    sent: list[tuple[bool, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        photo = request.read().split(b"\r\n\r\n", 1)[1].split(b"\r\n--")[0]
        sent.append(("Content-Length" in request.headers, photo))
        return httpx.Response(429)  # a new object each time, since the client changes it

    reading, writing = os.pipe()
    os.write(writing, b"the photo")
    os.close(writing)
    with Client(transport=httpx.MockTransport(answer), retries=2) as client, os.fdopen(reading, "rb") as pipe:
        for photo in (io.BytesIO(b"the photo"), pipe):
            with pytest.raises(public.TooManyRequestsError):
                client.likelihoods(photo)
    assert sent == [(True, b"the photo")] * 3 + [(False, b"the photo")]  # the length of a pipe is unknown


@pytest.mark.parametrize(
    "photo", [bytearray(b"the photo"), [[0, 255]], SimpleNamespace(read=bytes), io.StringIO(), None]
)
def test_what_is_no_photo_is_named(photo: Any) -> None:
    expected = f"image: expected a path, bytes, .*, got {type(photo).__name__}"
    with Client(transport=answering(QUEUE_FULL)) as client, pytest.raises(TypeError, match=expected):
        client.likelihoods(photo)
    with Client(transport=answering(QUEUE_FULL)) as client, pytest.raises(TypeError, match="reference: expected"):
        client.transfers(b"the photo", photo)

"""Ray's proxy: its own errors become problems, and replicas' answers pass through."""

from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from service.cluster.proxy import middlewares


def ask(app: ASGIApp, path: str = "/v1/models") -> httpx.Response:
    for middleware in middlewares():
        app = middleware.cls(app)  # type: ignore[call-arg]
    return TestClient(app).get(path)


async def lost(scope: Any, receive: Any, send: Any) -> None:
    """End without an answer, as a proxy does when its replica has died."""


@pytest.mark.parametrize(
    ("app", "status", "code"),
    [
        (lost, 503, "replica_lost"),
        (PlainTextResponse("backpressure", 429, {"x-request-id": "1"}), 429, "queue_full"),
        (PlainTextResponse("unavailable", 503, {"x-request-id": "1"}), 503, "replica_lost"),
    ],
)
def test_a_proxys_refusals_are_problems_that_say_when_to_come_again(app: ASGIApp, status: int, code: str) -> None:
    answer = ask(app)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/models", PlainTextResponse("fine", 200, {"x-request-id": "1"})),
        ("/v1/models", JSONResponse({"code": "loading"}, 503, {"x-request-id": "1"}, "application/problem+json")),
        ("/-/healthz", PlainTextResponse("draining", 503)),
    ],
)
def test_a_replicas_answers_and_those_of_a_proxys_own_paths_go_through(
    path: str, sent: PlainTextResponse | JSONResponse
) -> None:
    answer = ask(sent, path)
    assert (answer.status_code, answer.content) == (sent.status_code, sent.body)


def test_a_request_has_one_id() -> None:
    twice = PlainTextResponse("fine")
    twice.raw_headers += [(b"x-request-id", b"1"), (b"x-request-id", b"1")]
    assert ask(twice).headers.get_list("x-request-id") == ["1"]

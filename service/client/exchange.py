"""One call's requests, waits and result as steps that either client carries out."""

import logging
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel

from service.client.calls import Call, Headers
from service.client.errors import ConnectionFailedError, TimedOutError, TintflowError, UnreadableAnswerError, problem_of
from service.client.photos import opened

__all__ = ["EVENTS", "Outcome", "Patience", "Step", "exchange", "log", "read"]

M = TypeVar("M", bound=BaseModel)

RETRIED = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,  # from a proxy while its service restarts
    HTTPStatus.SERVICE_UNAVAILABLE,
}
BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)
"""connection errors that a retry may solve"""
EVENTS = "text/event-stream"
OWN_HEADERS = {
    *("accept", "connection", "content-encoding", "content-length", "content-type", "expect"),
    *("host", "transfer-encoding", "upgrade"),
}
"""headers that only the client sets: they say what it sends and reads, and to whom"""
HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")  # RFC 9110, 5.1
FIRST_WAIT_SECONDS = 0.5  # without Retry-After; doubled each time
RESTART_SECONDS = 30.0
"""longest wait for a service that has answered before and cannot be reached; planned restarts take some 10 seconds"""
RECONNECT_SECONDS = 1.0

log = logging.getLogger(__name__)

Step = httpx.Request | float | httpx.Response
"""the next request, seconds to wait before it, or at the end the answer to the call"""
Outcome = httpx.Response | httpx.RequestError | None
"""result of a request: its answer, or the error; None after a wait"""


@dataclass
class Patience:
    """How long one client tries its calls again."""

    retries: int
    max_wait: float
    """seconds"""
    has_answered: bool = False
    """whether a server has ever answered this client: if not, its address may be wrong"""


def exchange(
    client: httpx.Client | httpx.AsyncClient, call: Call[Any], stream: bool, patience: Patience
) -> Generator[Step, Outcome, None]:
    """Yield steps and receive their outcomes. The last step is the answer to the call, of status 2xx.

    stream: ask for events. Answers of any other status must have their body read.

    Retries up to `retries` times after 429, 502, 503 and broken connections, each after the seconds in Retry-After.
    If these exceed `max_wait`, raises the error at once. A file that cannot be read twice is sent once.

    If a server has answered this client before, tries to connect do not count as retries for RESTART_SECONDS, or for
    `max_wait` if that is less. With `retries` of 0, nothing is tried again.
    """
    retries = patience.retries
    headers = _checked(call.extra_headers) | {"Accept": EVENTS if stream else "application/json"}
    if retries < 0:
        raise ValueError(f"retries: expected 0 or more, got {retries}")
    with opened(call.photos) as files:
        if not all(file.seekable() for _, file in files.values()):
            retries = 0
        tries, out_of_reach = 0, 0.0
        while True:
            request = client.build_request(
                call.method, call.path, data=call.values or None, files=files or None, headers=headers
            )
            began = time.monotonic()
            outcome = yield request
            seconds = FIRST_WAIT_SECONDS * 2**tries
            if isinstance(outcome, httpx.Response):
                patience.has_answered = True
                if outcome.is_success:
                    yield outcome
                    return
                problem = problem_of(outcome)
                if outcome.status_code not in RETRIED:
                    raise problem
                error: TintflowError = problem
                if problem.retry_after is not None:
                    seconds = problem.retry_after
            elif isinstance(outcome, BROKEN):
                error = ConnectionFailedError(f"{request.url}: {outcome or type(outcome).__name__}")
                error.__cause__ = outcome
            elif isinstance(outcome, httpx.TimeoutException):
                raise TimedOutError(f"{request.url}: no answer in time") from outcome
            else:
                raise ConnectionFailedError(f"{request.url}: {outcome}") from outcome
            is_restart = patience.has_answered and retries > 0 and isinstance(outcome, httpx.ConnectError)
            if is_restart and out_of_reach < min(RESTART_SECONDS, patience.max_wait):
                seconds = RECONNECT_SECONDS
                out_of_reach += time.monotonic() - began + seconds  # looking up a name may take seconds, too
            elif tries == retries or seconds > patience.max_wait:
                raise error
            else:
                tries += 1
            log.info("%s; the next try is in %g s", error, seconds)
            yield seconds


def _checked(extra_headers: Headers) -> dict[str, str]:
    """Return the headers that are not None. Raises ValueError, without the value, which may be a secret."""
    checked = {name: value for name, value in (extra_headers or {}).items() if value is not None}
    for name, value in checked.items():
        if not (isinstance(name, str) and HEADER_NAME.fullmatch(name)):
            raise ValueError(f"extra_headers: {name!r}: expected a name of letters, digits and hyphens")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"extra_headers: {name}: the client sets this header itself; leave it out")
        if not (isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip()):
            raise ValueError(f"extra_headers: {name}: expected ASCII text without line breaks or spaces around it")
    return checked


def read(call: Call[M], response: httpx.Response) -> M:
    """Return the result of a call. Raises UnreadableAnswerError."""
    try:
        return call.answer.model_validate_json(response.content)
    except ValueError as error:
        raise UnreadableAnswerError(f"{response.request.url}: not an answer of tintflow's") from error

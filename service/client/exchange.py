"""One call's requests, waits and result, without doing any of them: what the two clients share."""

import email.utils
import logging
import time
from collections.abc import Generator
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel

from service.client.calls import Call
from service.client.errors import ConnectionFailedError, TimedOutError, TintflowError, UnreadableAnswerError, problem_of
from service.client.photos import opened

__all__ = ["EVENTS", "Outcome", "Step", "exchange", "log", "read"]

M = TypeVar("M", bound=BaseModel)

RETRIED = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,  # a proxy's, while the service behind it starts again
    HTTPStatus.SERVICE_UNAVAILABLE,
}
BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)
"""connections that another try may mend"""
EVENTS = "text/event-stream"
FIRST_WAIT_SECONDS = 0.5  # doubled each time, where the service does not say how long to wait

log = logging.getLogger(__name__)

Step = httpx.Request | float | httpx.Response
"""the next request, or seconds to wait before it, or in the end the answer to the call"""
Outcome = httpx.Response | httpx.RequestError | None
"""result of a request: its answer, or the error; of a wait: None"""


def exchange(
    client: httpx.Client | httpx.AsyncClient, call: Call[Any], stream: bool, retries: int, max_wait: float
) -> Generator[Step, Outcome, None]:
    """Yield what to do next, take its outcome, and in the end yield the answer to the call, of status 2xx.

    stream: ask for events. The body of an answer of any other status must have been read.

    429, 502, 503 and broken connections are tried again, up to `retries` times, after as many seconds as Retry-After
    says; if these are more than `max_wait`, the error is raised at once. A file that cannot be read twice is sent once.
    """
    headers = {"Accept": EVENTS if stream else "application/json"}
    if retries < 0:
        raise ValueError(f"retries: expected 0 or more, got {retries}")
    with opened(call.photos) as files:
        if not all(file.seekable() for _, file in files.values()):
            retries = 0
        for attempt in range(retries + 1):
            request = client.build_request(
                call.method, call.path, data=call.values or None, files=files or None, headers=headers
            )
            outcome = yield request
            seconds = FIRST_WAIT_SECONDS * 2**attempt
            if isinstance(outcome, httpx.Response):
                if outcome.is_success:
                    yield outcome
                    return
                error: TintflowError = problem_of(outcome)
                if outcome.status_code not in RETRIED:
                    raise error
                seconds = _retry_after(outcome, seconds)
            elif isinstance(outcome, BROKEN):
                error = ConnectionFailedError(f"{request.url}: {outcome or type(outcome).__name__}")
                error.__cause__ = outcome
            elif isinstance(outcome, httpx.TimeoutException):
                raise TimedOutError(f"{request.url}: no answer in time") from outcome
            else:
                raise ConnectionFailedError(f"{request.url}: {outcome}") from outcome
            if attempt == retries or seconds > max_wait:
                raise error
            log.info("%s; the next try is in %g s", error, seconds)
            yield seconds


def read(call: Call[M], response: httpx.Response) -> M:
    """Return the result of a call. Raises UnreadableAnswerError."""
    try:
        return call.answer.model_validate_json(response.content)
    except ValueError as error:
        raise UnreadableAnswerError(f"{response.request.url}: not an answer of tintflow's") from error


def _retry_after(response: httpx.Response, default: float) -> float:
    """Return the seconds that Retry-After asks for, as a number or as a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return default
    return max(date.timestamp() - time.time(), 0.0)

"""Errors of the client: a tree (docs/client.md), by status and code of the problem that the service answered."""

import email.utils
import time
from http import HTTPStatus
from typing import Any

import httpx

from service.errors import FieldProblem

__all__ = [
    "AuthenticationError",
    "ConnectionFailedError",
    "DeadlineError",
    "InvalidParameterError",
    "MalformedRequestError",
    "NotFoundError",
    "OutputTooLargeError",
    "ProblemError",
    "RequestError",
    "ServerError",
    "TimedOutError",
    "TintflowError",
    "TooLargeError",
    "TooManyPixelsError",
    "TooManyRequestsError",
    "UnavailableError",
    "UndecodableImageError",
    "UnprocessableError",
    "UnreadableAnswerError",
    "UnsupportedTypeError",
]

UNKNOWN_CODE = "unknown"
"""code of an answer from another server, such as a proxy"""


class TintflowError(Exception):
    """Base of every error that the client raises for an exchange with the service."""


class ConnectionFailedError(TintflowError):
    """No answer came."""


class TimedOutError(TintflowError):
    """No answer came within the client's own timeout."""


class UnreadableAnswerError(TintflowError):
    """The answer is not tintflow's: another server listens at this URL."""


class ProblemError(TintflowError):
    """The service answered with an error. Its text is the problem's `detail`."""

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        code: str = UNKNOWN_CODE,
        errors: tuple[FieldProblem, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        """stable, for programs"""
        self.errors = errors
        """the fields at fault"""
        self.request_id = request_id
        """id of the request, as in the service's log"""
        self.retry_after = retry_after
        """seconds to wait before the next try, if the answer says so"""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the attributes, too: by default, an exception loses its keyword arguments."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class RequestError(ProblemError):
    """4xx: the request is at fault; the same one will fail again."""


class MalformedRequestError(RequestError):
    """400: the body could not be read."""


class AuthenticationError(RequestError):
    """401 or 403: the API key is missing, unknown, or not enough."""


class NotFoundError(RequestError):
    """404: there is no such path; check the URL."""


class TooLargeError(RequestError):
    """413: the file has more bytes than the service takes."""


class UnsupportedTypeError(RequestError):
    """415: the file is not an image of a supported type."""


class UnprocessableError(RequestError):
    """422: the photo or a field is not usable."""


class InvalidParameterError(UnprocessableError):
    """Fields are missing, unknown or out of range; `errors` names them."""


class TooManyPixelsError(UnprocessableError):
    """The photo has more pixels than the service takes."""


class UndecodableImageError(UnprocessableError):
    """The file is empty, truncated or broken."""


class OutputTooLargeError(UnprocessableError):
    """The output format cannot hold an image of the photo's size."""


class TooManyRequestsError(RequestError):
    """429: the queue is full, or the key's rate limit is reached, even after the last retry."""


class ServerError(ProblemError):
    """5xx: the service is at fault."""


class UnavailableError(ServerError):
    """502 or 503: the service is loading, stopping, broken or gone, even after the last retry."""


class DeadlineError(ServerError):
    """504: the answer was not ready within the service's deadline."""


BY_CODE: dict[str, type[ProblemError]] = {
    "invalid_parameters": InvalidParameterError,
    "too_many_pixels": TooManyPixelsError,
    "undecodable_image": UndecodableImageError,
    "output_too_large": OutputTooLargeError,
}
BY_STATUS: dict[int, type[ProblemError]] = {
    400: MalformedRequestError,
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    413: TooLargeError,
    415: UnsupportedTypeError,
    422: UnprocessableError,
    429: TooManyRequestsError,
    502: UnavailableError,
    503: UnavailableError,
    504: DeadlineError,
}


def problem_of(response: httpx.Response) -> ProblemError:
    """Return the error for an answer of 4xx or 5xx, whose body must have been read."""
    try:
        body = response.json()
    except ValueError:
        body = None
    return problem_in(body, response)


def problem_in(body: object, response: httpx.Response) -> ProblemError:
    """Return the error for a problem: the body of an answer, or an event, which has a status of its own."""
    problem = body if isinstance(body, dict) else {}
    told = problem.get("status")
    status = told if response.is_success and isinstance(told, int) else response.status_code
    code = str(problem.get("code", UNKNOWN_CODE))
    fields = [each for each in problem.get("errors") or () if isinstance(each, dict)]
    by_class = ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RequestError
    kind = BY_CODE.get(code) or BY_STATUS.get(status) or by_class
    unexplained = f"{status} {response.reason_phrase}"
    if "location" in response.headers:  # a proxy's redirect, which is not followed
        unexplained += f" to {response.headers['location']}"
    return kind(
        str(problem.get("detail") or unexplained),
        status=status,
        code=code,
        errors=tuple(FieldProblem(str(each.get("field")), str(each.get("message"))) for each in fields),
        request_id=response.headers.get("x-request-id"),
        retry_after=_retry_after(response, problem.get("retry_after")),
    )


def _retry_after(response: httpx.Response, told: object = None) -> float | None:
    """Return the seconds in Retry-After, which is a number or a date (RFC 9110, 10.2.3).

    told: a problem's own `retry_after`, which counts without the header, as in an event.
    """
    text = response.headers.get("retry-after", "" if told is None else str(told))
    if text.isdecimal():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(date.timestamp() - time.time(), 0.0)

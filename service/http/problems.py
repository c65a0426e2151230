"""Errors as HTTP answers: RFC 9457 problem details, their statuses and their stable codes."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, JsonValue
from starlette.exceptions import HTTPException

from model.errors import CheckpointError, InputError, ModelError, NonFiniteError, OutOfMemoryError
from service import errors
from service.edge.refusals import REFUSALS
from service.errors import FieldProblem

__all__ = [
    "CODES",
    "INTERNAL_ERROR",
    "MEDIA_TYPE",
    "PROBLEMS",
    "ROUTER_CODES",
    "Problem",
    "answer",
    "describe",
    "install",
    "internal_problem",
    "known_error",
    "responses",
]

MEDIA_TYPE = "application/problem+json"

PROBLEMS: dict[type[Exception], tuple[int, str]] = {
    errors.MalformedBodyError: (400, "malformed_body"),
    errors.MissingKeyError: (401, "missing_key"),
    errors.InvalidKeyError: (401, "invalid_key"),
    errors.ForeignOriginError: (403, "foreign_origin"),
    errors.NotAcceptableError: (406, "not_acceptable"),
    errors.UploadTooLargeError: (413, "upload_too_large"),
    errors.BodyTypeError: (415, "unsupported_body_type"),
    errors.ImageTypeError: (415, "unsupported_image_type"),
    errors.ParameterError: (422, "invalid_parameters"),
    errors.TooManyPixelsError: (422, "too_many_pixels"),
    errors.UndecodableImageError: (422, "undecodable_image"),
    errors.DecodingLimitError: (422, "decoding_limit"),
    errors.OutputSizeError: (422, "output_too_large"),
    InputError: (422, "invalid_input"),
    errors.QueueFullError: (429, "queue_full"),
    errors.RateLimitedError: (429, "rate_limited"),
    errors.ClientGoneError: (499, "client_gone"),
    ModelError: (500, "model_error"),
    CheckpointError: (500, "checkpoint_error"),
    NonFiniteError: (500, "non_finite"),
    errors.DecoderLostError: (503, "decoder_lost"),
    OutOfMemoryError: (503, "out_of_memory"),
    errors.ReplicaLostError: (503, "replica_lost"),
    errors.LoadingError: (503, "loading"),
    errors.UnhealthyError: (503, "unhealthy"),
    errors.DrainingError: (503, "draining"),
    errors.LoadFailedError: (503, "load_failed"),
    errors.DeadlineError: (504, "deadline"),
}
"""(status, code) of every service and model error that a request may meet"""

ROUTER_CODES = {404: "not_found", 405: "method_not_allowed"}

INTERNAL_ERROR = (500, "internal_error")
"""code of unexpected errors"""

OTHER_CODE = "http_error"
"""code of any other error of the router; none is known"""

_LISTED = {*PROBLEMS.values(), *ROUTER_CODES.items(), *REFUSALS, INTERNAL_ERROR} - {PROBLEMS[errors.ClientGoneError]}
CODES = [*(code for _, code in sorted(_LISTED)), OTHER_CODE]
"""all codes that a client may get, by status"""

CHALLENGES: dict[type[Exception], str] = {
    errors.MissingKeyError: 'Bearer realm="tintflow"',
    errors.InvalidKeyError: 'Bearer realm="tintflow", error="invalid_token"',
}
"""WWW-Authenticate of every 401 (RFC 6750)"""

MAX_PATH_LENGTH = 200
"""Maximum length of a path quoted in an answer"""
TITLES = {499: "Client Closed Request"}


class Problem(BaseModel):
    """An error in the form of RFC 9457. Programs use `code`; people read `detail`."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(description="the status in words", examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    code: str = Field(
        description="stable, for programs; later versions may have more",
        examples=["invalid_parameters"],
        json_schema_extra={"enum": list[JsonValue](CODES)},
    )
    detail: str = Field(description="for people", examples=["temperature: Input should be less than or equal to 2"])
    errors: list[FieldProblem] | None = Field(default=None, description="the fields at fault, if any")
    retry_after: int | None = Field(
        default=None,
        description="seconds to wait, as in `Retry-After`, a header that an event cannot have",
        examples=[5],
    )


ErrorMember = Callable[[Problem], Any]
"""Makes a member `error` of a problem (RFC 9457, 3.2), in the shape that clients of another interface read.

A route's class has it as its `error_member`.
"""


def _title(status: int) -> str:
    return TITLES.get(status) or HTTPStatus(status).phrase


def _problem(status: int, code: str, detail: str, fields: list[FieldProblem] | None = None) -> Problem:
    return Problem(title=_title(status), status=status, code=code, detail=detail, errors=fields)


def answer(problem: Problem, headers: dict[str, str] | None = None, member: ErrorMember | None = None) -> JSONResponse:
    content = problem.model_dump(exclude_none=True)
    if member is not None:
        content["error"] = member(problem)
    return JSONResponse(content, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def describe(error: Exception) -> Problem:
    """Return the problem for a service's or model's error, by the table."""
    status, code = next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)
    fields, detail = None, str(error)
    if isinstance(error, ModelError):
        detail = detail.partition("\n")[0]  # later lines are libraries' internals
    if isinstance(error, errors.ParameterError):
        fields = list(error.problems)
    if isinstance(error, InputError):
        fields = [FieldProblem(error.name, error.reason)]
    problem = _problem(status, code, detail, fields)
    if isinstance(error, errors.RetryLaterError):
        problem.retry_after = error.retry_after_seconds
    return problem


async def known_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a service's or model's error by the table."""
    problem, headers = describe(error), {}
    request.state.code = problem.code  # for the log and the metrics
    if type(error) in CHALLENGES:
        headers["WWW-Authenticate"] = CHALLENGES[type(error)]
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    return answer(problem, headers, getattr(request.scope.get("route"), "error_member", None))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Answer requests that the router refuses: unknown path (404), wrong method (405)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    status = int(error.status_code)
    request.state.code = code = ROUTER_CODES.get(status, OTHER_CODE)
    detail = f"{request.method} {request.url.path[:MAX_PATH_LENGTH]}: {error.detail}"
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # see service.http.request_log
    return answer(_problem(status, code, detail), headers)


def internal_problem() -> Problem:
    """Return the problem for an unexpected error, which the log has under the request's id."""
    return _problem(*INTERNAL_ERROR, "unexpected error; quote this answer's X-Request-Id when you report it")


def install(app: FastAPI) -> None:
    """Turn every error that leaves a route into a problem."""
    app.add_exception_handler(errors.ServiceError, known_error)
    app.add_exception_handler(ModelError, known_error)
    app.add_exception_handler(HTTPException, _http_error)


def responses(*kinds: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Describe these errors for OpenAPI: one entry per status, one example per code."""
    described: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status, code = PROBLEMS[kind]
        summary = (kind.__doc__ or code).splitlines()[0]
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        entry = described.setdefault(status, {"description": _title(status), "content": {MEDIA_TYPE: content}})
        if kind in CHALLENGES:
            entry["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        if issubclass(kind, errors.RetryLaterError):
            entry["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
        value = _problem(status, code, summary).model_dump(exclude_none=True)
        entry["content"][MEDIA_TYPE]["examples"][code] = {"summary": summary, "value": value}
    return described

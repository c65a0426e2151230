"""The body of a request: multipart or JSON, read within the byte limit."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from io import BytesIO
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Message

from model.errors import InputError
from model.options import Options, check_together
from service.api.endpoints import Endpoint
from service.errors import (
    BodyTypeError,
    ClientGoneError,
    FieldProblem,
    MalformedBodyError,
    ParameterError,
    UploadTooLargeError,
)
from service.http.json_body import MAX_NAME_LENGTH, MAX_REST_BYTES, LongRestError, decode_file, split
from service.scheduling.backlog import Place

__all__ = ["check_options", "read_request"]

P = TypeVar("P", bound=BaseModel)
Runner = Callable[..., Awaitable[Any]]
Body = tuple[dict[str, bytes], P]
"""the uploaded files, by field name, and the parameters"""

MAX_FIELDS = 32
MAX_PROBLEMS = 20
"""Maximum number of faulty fields that an answer names."""
MAX_TYPE_LENGTH = 1024  # of Content-Type; a boundary has up to 70 characters
MAX_MESSAGE_LENGTH = 240
BASE64_SIZE = 4 / 3 * 1.07
"""Maximum size of a file in base64 in JSON, relative to the file: 5.3 % for line breaks, 1.6 % for `/` as `\\/`."""
CHARSETS = ("", "utf-8", "utf8", "us-ascii")
NO_FILE = "expected a file part, which has a filename, got text"

MESSAGES = {
    "extra_forbidden": "unknown field",
    "missing": "this field is required",
    "tuple_type": "expected an array",
    "model_type": "expected an object",
    "too_short": "expected at least {min_length} items, got {actual_length}",
}
"""clearer texts for some of pydantic's error types"""


async def read_request(request: Request, place: Place, run: Runner, endpoint: Endpoint[P], max_bytes: int) -> Body[P]:
    """Read the body of a request for an endpoint.

    place: the request's place, which reserves the bytes received. run: runs a function off the event loop.

    Raises BodyTypeError, UploadTooLargeError as soon as too much has come in, MalformedBodyError, ParameterError,
    ClientGoneError, QueueFullError.
    """
    _refuse_query(request, endpoint)
    media_type = _media_type(request)
    encoding = request.headers.get("content-encoding", "")
    if encoding.lower() not in ("", "identity"):
        raise BodyTypeError(f"Content-Encoding: expected none, got {encoding[:MAX_NAME_LENGTH]}")
    try:
        if media_type == "multipart/form-data":
            return await _read_multipart(request, place, endpoint, max_bytes)
        if media_type == "application/json":
            body = BytesIO()  # `Request.body` would hold the body twice
            async for piece in _limited(request, place, endpoint, int(BASE64_SIZE * max_bytes), max_bytes).stream():
                body.write(piece)
            return await run(_parse_json, body.getvalue(), endpoint, max_bytes)
    except ClientDisconnect as error:
        raise ClientGoneError("the client closed the connection while sending") from error
    except LongRestError as error:  # usually a photo in the wrong field
        files = " and ".join(endpoint.files)
        expected = f"expected files in {files} alone, got more than {MAX_REST_BYTES} bytes elsewhere"
        raise UploadTooLargeError(f"body: {expected}") from error
    raise BodyTypeError(f"Content-Type: expected multipart/form-data or application/json, got {media_type or 'none'}")


def check_options(options: Options, files: Collection[str]) -> None:
    """Raise ParameterError for options that contradict each other or the uploaded files."""
    try:
        check_together(options, "reference" in files)
    except InputError as error:
        raise ParameterError(FieldProblem(error.name, error.reason)) from error


def _refuse_query(request: Request, endpoint: Endpoint[Any]) -> None:
    """Raise ParameterError for fields in the query string. Other query parameters may be a proxy's."""
    fields = {*endpoint.parameters.model_fields, *endpoint.files}
    misplaced = [name for name in dict.fromkeys(request.query_params) if name in fields]
    if misplaced:
        raise ParameterError(*(_problem(name, "expected in the body, not in the query string") for name in misplaced))


def _media_type(request: Request) -> str:
    """Return the body's media type.

    Raises MalformedBodyError for a header that is too long, and for charsets except UTF-8: some take seconds to decode.
    """
    header = request.headers.get("content-type", "")
    if len(header) > MAX_TYPE_LENGTH:  # the parser takes 0.1 s for 64 KiB
        raise MalformedBodyError(f"Content-Type: more than {MAX_TYPE_LENGTH} characters")
    media_type, parameters = parse_options_header(header)
    charset = parameters.get(b"charset", b"").decode("latin-1").lower()
    if charset not in CHARSETS:
        raise MalformedBodyError(f"Content-Type: expected charset=utf-8, got {charset[:MAX_NAME_LENGTH]!r}")
    return media_type.decode("latin-1").strip().lower()


def _limited(request: Request, place: Place, endpoint: Endpoint[Any], bytes_per_file: int, max_bytes: int) -> Request:
    """Return the same request with a body that raises UploadTooLargeError above the limit of all files together.

    The request's place reserves the bytes received.
    """
    fields = " and ".join(endpoint.files)
    max_body_bytes = len(endpoint.files) * bytes_per_file + MAX_REST_BYTES
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_body_bytes:
        raise _too_large(fields, max_bytes)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        more = len(message.get("body", b""))
        received += more
        if received > max_body_bytes:
            raise _too_large(fields, max_bytes)
        place.claim(bytes=more)
        return message

    return Request(request.scope, receive)


def _too_large(field: str, max_bytes: int) -> UploadTooLargeError:
    return UploadTooLargeError(f"{field}: more than {max_bytes} bytes")


async def _read_multipart(request: Request, place: Place, endpoint: Endpoint[P], max_bytes: int) -> Body[P]:
    limited = _limited(request, place, endpoint, max_bytes, max_bytes)
    limits = {"max_files": MAX_FIELDS, "max_fields": MAX_FIELDS, "max_part_size": MAX_REST_BYTES}
    try:
        async with aclosing(limited.stream()) as stream:
            form = await _FormParser(limited.headers, stream, endpoint.files, **limits).parse()
    except MultiPartException as error:
        raise MalformedBodyError(f"body: {error.message}") from error
    try:
        return await _parse_form(form, endpoint, max_bytes)
    finally:
        await form.close()


class _FormParser(MultiPartParser):
    """A parser that refuses a form without its closing boundary; starlette's own silently drops the last part.

    A text that is too long is refused as in JSON, and as no file where a file should be.
    """

    spool_max_size = 0  # never on disk: a full disk then refuses no photo, and no photo stays there

    def __init__(
        self, headers: Headers, stream: AsyncGenerator[bytes], file_fields: Collection[str], **limits: int
    ) -> None:
        super().__init__(headers, self._whole(stream), **limits)
        self._file_fields = file_fields
        self._is_closed = False

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        try:
            super().on_part_data(data, start, end)
        except MultiPartException as error:
            name = _field_of(self._current_part.field_name)
            if name in self._file_fields:
                raise ParameterError(FieldProblem(name, NO_FILE)) from error
            raise LongRestError from error

    def on_end(self) -> None:
        self._is_closed = True

    async def _whole(self, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async for piece in stream:
            yield piece
        if not self._is_closed:
            raise MultiPartException("the form has no closing boundary")


async def _parse_form(form: FormData, endpoint: Endpoint[P], max_bytes: int) -> Body[P]:
    items = [(_field_of(name), value) for name, value in form.multi_items()]
    counts = Counter(name for name, _ in items)
    twice = [_problem(name, "given more than once") for name, count in counts.items() if count > 1]
    if twice:
        raise ParameterError(*twice)
    values = dict(items)
    if sum(len(value) for value in values.values() if isinstance(value, str)) > MAX_REST_BYTES:
        raise LongRestError
    files = {name: values.pop(name, None) for name in endpoint.files}
    known = endpoint.parameters.model_fields.keys()
    misplaced = [name for name, value in values.items() if isinstance(value, UploadFile) and name in known]
    if misplaced:
        raise ParameterError(*(_problem(name, "expected text, got a file part") for name in misplaced))
    # browsers send empty fields for those not filled in; unknown fields are refused by name alone
    texts = {name: value for name, value in values.items() if value != "" or name not in known}
    given = {name: file for name, file in files.items() if not _is_left_out(file)}
    try:
        parameters = endpoint.request.model_validate(texts | dict.fromkeys(given, ""))
    except ValidationError as error:
        raise _parameter_error(error, endpoint) from error
    uploads = {}
    for name, file in given.items():
        if not isinstance(file, UploadFile):
            raise ParameterError(FieldProblem(name, NO_FILE))
        uploads[name] = await file.read()
    for name, upload in uploads.items():
        if len(upload) > max_bytes:
            raise _too_large(name, max_bytes)
    return uploads, parameters


def _field_of(name: str) -> str:
    """Return the field that a part's name means: `image[]` is an array of one."""
    return name.removesuffix("[]")


def _is_left_out(file: UploadFile | str | None) -> bool:
    """Say whether a part stands for no file: browsers send one without name or content if none was chosen."""
    return not (file.filename or file.size) if isinstance(file, UploadFile) else not file


def _parse_json(body: bytes, endpoint: Endpoint[P], max_bytes: int) -> Body[P]:
    texts, values = split(body, endpoint.files)
    try:
        parsed = endpoint.request.model_validate(values)
    except ValidationError as error:
        raise _parameter_error(error, endpoint) from error
    return {name: decode_file(name, text, max_bytes) for name, text in texts.items()}, parsed


def _parameter_error(error: ValidationError, endpoint: Endpoint[Any]) -> ParameterError:
    """List the faulty fields, with expected and received values, but without the content of files."""
    problems: list[FieldProblem] = []
    for each in error.errors(include_url=False)[:MAX_PROBLEMS]:
        field, *place = (str(part) for part in each["loc"])
        if each["type"] == "too_short" and any(problem.field == field for problem in problems):
            continue  # pydantic counts only valid items
        if each["type"] in MESSAGES:
            message = MESSAGES[each["type"]].format_map(each.get("ctx", {}))
        else:
            is_said = field in endpoint.files or ", got " in each["msg"]
            message = each["msg"] if is_said else f"{each['msg']}, got {_shown(each['input']):.40}"
        problems.append(_problem(field, ".".join(place) + ": " + message if place else message))
    return ParameterError(*problems)


def _shown(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def _problem(field: str, message: str) -> FieldProblem:
    return FieldProblem(_short(field, MAX_NAME_LENGTH), _short(message, MAX_MESSAGE_LENGTH))


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

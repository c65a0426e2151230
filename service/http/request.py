"""The body of a request: multipart or JSON, read within the byte limit."""

import base64
import binascii
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from service.api.endpoints import Endpoint
from service.errors import (
    BodyTypeError,
    ClientGoneError,
    FieldProblem,
    MalformedBodyError,
    ParameterError,
    UploadTooLargeError,
)
from service.scheduling.backlog import Place

__all__ = ["read_request"]

P = TypeVar("P", bound=BaseModel)
Runner = Callable[..., Awaitable[Any]]

MARGIN_BYTES = 64 * 1024  # for all of a body that is not the file
MAX_FIELD_BYTES = 16 * 1024  # of a multipart field that is not the file
MAX_FIELDS = 32

MESSAGES = {"extra_forbidden": "unknown field", "missing": "this field is required"}
"""pydantic's error types that read better in other words"""


async def read_request(
    request: Request, place: Place, run: Runner, endpoint: Endpoint[P], max_bytes: int
) -> tuple[dict[str, bytes], P]:
    """Return the uploaded files, by the names of their fields, and the parameters.

    place: holds the bytes that came in. run: runs a function beside the event loop.

    Raises BodyTypeError, UploadTooLargeError as soon as too much has come in, MalformedBodyError, ParameterError,
    ClientGoneError, QueueFullError.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media_type == "multipart/form-data":
            return await _read_multipart(request, place, endpoint, max_bytes)
        if media_type == "application/json":
            in_base64 = math.ceil(max_bytes / 3) * 4
            body = await _limited(request, place, endpoint, in_base64, max_bytes).body()
            return await run(_parse_json, body, endpoint, max_bytes)
    except ClientDisconnect as error:
        raise ClientGoneError("the client closed the connection while sending") from error
    raise BodyTypeError(f"Content-Type: expected multipart/form-data or application/json, got {media_type or 'none'}")


def _limited(request: Request, place: Place, endpoint: Endpoint[Any], bytes_per_file: int, max_bytes: int) -> Request:
    """Return the same request, whose body raises UploadTooLargeError once it is longer than all files may be.

    What has come in is held in the request's place.
    """
    fields = " and ".join(endpoint.files)
    max_body_bytes = len(endpoint.files) * bytes_per_file + MARGIN_BYTES
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_body_bytes:
        raise _too_large(fields, max_bytes)
    counted = _count(request.receive, place, max_body_bytes, lambda: _too_large(fields, max_bytes))
    return Request(request.scope, counted)


def _count(receive: Receive, place: Place, limit: int, error: Callable[[], Exception]) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        more = len(message.get("body", b""))
        received += more
        if received > limit:
            raise error()
        place.claim(bytes=more)
        return message

    return counted


def _too_large(field: str, max_bytes: int) -> UploadTooLargeError:
    return UploadTooLargeError(f"{field}: more than {max_bytes} bytes")


async def _read_multipart(
    request: Request, place: Place, endpoint: Endpoint[P], max_bytes: int
) -> tuple[dict[str, bytes], P]:
    limited = _limited(request, place, endpoint, max_bytes, max_bytes)
    files = len(endpoint.files) + 1  # one too many is still read, to name the field that it is in
    try:
        async with limited.form(max_files=files, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as form:
            return await _parse_form(form, endpoint, max_bytes)
    except HTTPException as error:
        raise MalformedBodyError(f"body: {error.detail}") from error
    except UnicodeError as error:
        raise MalformedBodyError("body: not text in the charset that Content-Type names") from error


async def _parse_form(form: FormData, endpoint: Endpoint[P], max_bytes: int) -> tuple[dict[str, bytes], P]:
    items = [(name.removesuffix("[]"), value) for name, value in form.multi_items()]  # `image[]`: an array of one
    counts = Counter(name for name, _ in items)
    "".join(counts).encode()  # raises UnicodeError: some charsets make what no answer could name
    twice = [FieldProblem(name, "given more than once") for name, count in counts.items() if count > 1]
    if twice:
        raise ParameterError(*twice)
    values = dict(items)
    files = {name: values.pop(name, None) for name in endpoint.files}
    # a file in another field is an unknown field: its name is all that matters
    texts = {name: value if isinstance(value, str) else "" for name, value in values.items()}
    try:
        parameters = endpoint.parameters.model_validate(texts)
    except ValidationError as error:
        raise _parameter_error(error, endpoint) from error
    uploads = {}
    for name, file in files.items():
        if isinstance(file, UploadFile):
            uploads[name] = await file.read()
        elif file is not None:
            raise ParameterError(FieldProblem(name, "expected a file part, got text"))
        elif name in endpoint.required_files:
            raise ParameterError(FieldProblem(name, MESSAGES["missing"]))
    return _checked(uploads, max_bytes), parameters


def _parse_json(body: bytes, endpoint: Endpoint[P], max_bytes: int) -> tuple[dict[str, bytes], P]:
    try:
        parsed = endpoint.request.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if not first["loc"]:  # it is about the body as a whole: not JSON, or not an object
            raise MalformedBodyError(f"body: {first['msg']}") from error
        raise _parameter_error(error, endpoint) from error
    texts = {name: getattr(parsed, name) for name in endpoint.files}
    uploads = {name: _from_base64(name, text) for name, text in texts.items() if text is not None}
    return _checked(uploads, max_bytes), parsed


def _from_base64(field: str, text: str) -> bytes:
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ParameterError(FieldProblem(field, "expected a data URL in base64"))
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII
        raise ParameterError(FieldProblem(field, "expected base64 or a data URL")) from error


def _checked(uploads: dict[str, bytes], max_bytes: int) -> dict[str, bytes]:
    for name, upload in uploads.items():
        if len(upload) > max_bytes:
            raise _too_large(name, max_bytes)
    return uploads


def _parameter_error(error: ValidationError, endpoint: Endpoint[Any]) -> ParameterError:
    """Name each field at fault, with what it expects and what it got, but for the content of files."""
    problems = []
    for each in error.errors(include_url=False):
        field, *place = (str(part) for part in each["loc"])
        message = MESSAGES.get(each["type"])
        if message is None:
            got = "" if field in endpoint.files else f", got {each['input']!r:.40}"
            message = each["msg"] + got
        problems.append(FieldProblem(field, ".".join(place) + ": " + message if place else message))
    return ParameterError(*problems)

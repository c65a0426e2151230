"""The body of a request: multipart or JSON, read within the byte limit."""

import base64
import binascii
import math
from collections import Counter
from collections.abc import Callable

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from service.engine import Engine
from service.errors import (
    BodyTypeError,
    ClientGoneError,
    FieldProblem,
    MalformedBodyError,
    ParameterError,
    UploadTooLargeError,
)
from service.schemas import ColorizationParameters, ColorizationRequest

__all__ = ["read_colorization"]

MARGIN_BYTES = 64 * 1024  # for all of a body that is not the file
MAX_FIELD_BYTES = 16 * 1024  # of a multipart field that is not the file
MAX_FIELDS = 32

MESSAGES = {"extra_forbidden": "unknown field", "missing": "this field is required"}
"""pydantic's error types that read better in other words"""


async def read_colorization(request: Request, engine: Engine, max_bytes: int) -> tuple[bytes, ColorizationParameters]:
    """Return the uploaded file and the parameters.

    Raises BodyTypeError, UploadTooLargeError as soon as too much has come in, MalformedBodyError, ParameterError,
    ClientGoneError.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media_type == "multipart/form-data":
            return await _read_multipart(request, max_bytes)
        if media_type == "application/json":
            in_base64 = math.ceil(max_bytes / 3) * 4
            body = await _limited(request, in_base64 + MARGIN_BYTES, max_bytes).body()
            return await engine.in_codec_thread(_parse_json, body, max_bytes)
    except ClientDisconnect as error:
        raise ClientGoneError("the client closed the connection while sending") from error
    raise BodyTypeError(f"Content-Type: expected multipart/form-data or application/json, got {media_type or 'none'}")


def _limited(request: Request, max_body_bytes: int, max_bytes: int) -> Request:
    """Return the same request, whose body raises UploadTooLargeError once it is longer than the limit."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_body_bytes:
        raise _too_large(max_bytes)
    return Request(request.scope, _count(request.receive, max_body_bytes, lambda: _too_large(max_bytes)))


def _count(receive: Receive, limit: int, error: Callable[[], Exception]) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise error()
        return message

    return counted


def _too_large(max_bytes: int) -> UploadTooLargeError:
    return UploadTooLargeError(f"image: more than {max_bytes} bytes")


async def _read_multipart(request: Request, max_bytes: int) -> tuple[bytes, ColorizationParameters]:
    limited = _limited(request, max_bytes + MARGIN_BYTES, max_bytes)
    try:
        async with limited.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as form:
            return await _parse_form(form, max_bytes)
    except HTTPException as error:
        raise MalformedBodyError(f"body: {error.detail}") from error


async def _parse_form(form: FormData, max_bytes: int) -> tuple[bytes, ColorizationParameters]:
    counts = Counter(name for name, _ in form.multi_items())
    twice = [FieldProblem(name, "given more than once") for name, count in counts.items() if count > 1]
    if twice:
        raise ParameterError(*twice)
    values = dict(form)
    image = values.pop("image", None)
    # a file in another field is an unknown field: its name is all that matters
    parameters = _parameters({name: value if isinstance(value, str) else "" for name, value in values.items()})
    if image is None:
        raise ParameterError(FieldProblem("image", MESSAGES["missing"]))
    if not isinstance(image, UploadFile):
        raise ParameterError(FieldProblem("image", "expected a file part, got text"))
    upload = await image.read()
    if len(upload) > max_bytes:
        raise _too_large(max_bytes)
    return upload, parameters


def _parameters(values: dict[str, str]) -> ColorizationParameters:
    try:
        return ColorizationParameters.model_validate(values)
    except ValidationError as error:
        raise _parameter_error(error) from error


def _parse_json(body: bytes, max_bytes: int) -> tuple[bytes, ColorizationParameters]:
    try:
        parsed = ColorizationRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if not first["loc"]:  # it is about the body as a whole: not JSON, or not an object
            raise MalformedBodyError(f"body: {first['msg']}") from error
        raise _parameter_error(error) from error
    text = parsed.image
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ParameterError(FieldProblem("image", "expected a data URL in base64"))
    try:
        upload = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII
        raise ParameterError(FieldProblem("image", "expected base64 or a data URL")) from error
    if len(upload) > max_bytes:
        raise _too_large(max_bytes)
    return upload, parsed


def _parameter_error(error: ValidationError) -> ParameterError:
    """Name each field at fault, with what it expects and what it got, but for the image's own content."""
    problems = []
    for each in error.errors(include_url=False):
        field = str(each["loc"][0])
        message = MESSAGES.get(each["type"])
        if message is None:
            got = "" if field == "image" else f", got {each['input']!r:.40}"
            message = each["msg"] + got
        problems.append(FieldProblem(field, message))
    return ParameterError(*problems)

"""JSON bodies. Files are cut out first, so that only a short text is parsed and validated."""

import base64
import binascii
import json
from collections.abc import Collection
from io import BytesIO
from typing import Any

from service.api import strict_json
from service.errors import FieldProblem, MalformedBodyError, ParameterError, UploadTooLargeError

__all__ = ["MAX_NAME_LENGTH", "MAX_REST_BYTES", "LongRestError", "decode_file", "split"]

MAX_REST_BYTES = 64 * 1024
"""Maximum bytes of a body without its files."""
MAX_NAME_LENGTH = 64  # of a field, in an answer
PIECE_BYTES = 1024 * 1024  # of base64; Python lets other threads run between pieces
MAX_PLACE_LENGTH = 20  # of a body, in an answer
LONGEST_ESCAPE = len(r"\u0000")
NOT_BASE64 = "expected base64 (A-Z a-z 0-9 + /, padded with =) or a data URL"


class LongRestError(Exception):
    """A body has more than MAX_REST_BYTES besides its files."""


def split(body: bytes, file_fields: Collection[str]) -> tuple[dict[str, memoryview], dict[str, Any]]:
    """Return the raw JSON text of each file, and the whole object with "" in place of files.

    Takes time proportional to the body, and memory proportional to MAX_REST_BYTES.
    Raises LongRestError, MalformedBodyError, or ParameterError for a key that is given twice.
    """
    files: dict[str, memoryview] = {}
    rest = bytearray()
    position, depth = 0, 0
    key = None
    while (quote := body.find(b'"', position)) >= 0:
        between = _slice(body, position, quote, rest)
        rest += between
        depth += between.count(b"{") + between.count(b"[") - between.count(b"}") - between.count(b"]")
        is_file = depth == 1 and key in file_fields and between.strip() == b":"
        end = _end_of_file(body, quote + 1, str(key)) if is_file else _end_of_string(body, quote + 1)
        if is_file:
            if key in files:
                raise ParameterError(FieldProblem(str(key), "given more than once"))
            files[str(key)] = memoryview(body)[quote + 1 : end]
            rest += b'""'
        else:
            text = _slice(body, quote, end + 1, rest)
            rest += text
            key = _loads(text) if depth == 1 else None
        position = end + 1
    rest += _slice(body, position, len(body), rest)
    parsed = _loads(bytes(rest))
    if b"\\u" in rest:
        _check_unicode(parsed)
    if not isinstance(parsed, dict):
        raise MalformedBodyError("body: expected a JSON object")
    return files, parsed


def decode_file(field: str, text: memoryview, max_bytes: int) -> bytes:
    """Decode base64, or a data URL, in a JSON string. Raises ParameterError or UploadTooLargeError."""
    start = 0
    if bytes(text[:5]).lower() == b"data:":
        head, comma, _ = bytes(text[:1024]).partition(b",")
        if not comma or not head.lower().endswith(b";base64"):
            raise ParameterError(FieldProblem(field, "expected a data URL in base64"))
        start = len(head) + 1
    decoded, pending = BytesIO(), b""  # BytesIO returns its content without a copy
    try:
        while start < len(text):
            end = _before_escape(text, start, min(start + PIECE_BYTES, len(text)))
            pending += _plain(bytes(text[start:end]))
            start = end
            whole = len(pending) if start == len(text) else len(pending) // 4 * 4 - 4  # the last four may be padded
            if whole > 0:
                decoded.write(base64.b64decode(pending[:whole], validate=True))
                pending = pending[whole:]
            if decoded.tell() > max_bytes:
                raise UploadTooLargeError(f"{field}: more than {max_bytes} bytes")
            if whole > 0 and start < len(text) and decoded.tell() % 3:
                raise ParameterError(FieldProblem(field, NOT_BASE64))  # padded before its end
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII, broken escapes
        raise ParameterError(FieldProblem(field, NOT_BASE64)) from error
    return decoded.getvalue()


def _slice(body: bytes, start: int, end: int, rest: bytearray) -> bytes:
    if len(rest) + end - start > MAX_REST_BYTES:
        raise LongRestError
    return body[start:end]


def _end_of_string(body: bytes, start: int) -> int:
    longest = min(start + MAX_REST_BYTES, len(body))
    before = start
    while (quote := body.find(b'"', before, longest)) >= 0:
        piece = body[before:quote]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 0:
            return quote
        before = quote + 1
    if longest < len(body):
        raise LongRestError
    raise MalformedBodyError("body: invalid JSON: a string has no end")


def _end_of_file(body: bytes, start: int, field: str) -> int:
    quote = body.find(b'"', start)
    if quote < 0:
        raise MalformedBodyError("body: invalid JSON: a string has no end")
    if quote > start and body[quote - 1] == ord("\\"):  # base64 has neither quotes nor backslashes
        raise ParameterError(FieldProblem(field, NOT_BASE64))
    return quote


def _before_escape(text: memoryview, start: int, end: int) -> int:
    """Return the end of a piece that does not split an escape sequence."""
    if end < len(text):
        last = bytes(text[end - LONGEST_ESCAPE : end]).rfind(b"\\")
        if last >= 0 and end - LONGEST_ESCAPE + last > start:
            return end - LONGEST_ESCAPE + last
    return end


def _plain(piece: bytes) -> bytes:
    """Resolve JSON's escapes and remove white space."""
    if b"\\" in piece:
        piece = json.loads(b'"' + piece + b'"', strict=False).encode("ascii")
    return piece.translate(None, b" \t\r\n\f\v")


def _loads(text: bytes) -> Any:
    try:
        return strict_json.loads(text)
    except UnicodeDecodeError as error:
        raise MalformedBodyError("body: expected UTF-8") from error
    except strict_json.RepeatedKeyError as error:
        raise ParameterError(FieldProblem(error.key[:MAX_NAME_LENGTH], str(error))) from error
    except json.JSONDecodeError as error:  # its line and column refer to the body without its files
        place = error.doc[error.pos : error.pos + MAX_PLACE_LENGTH]
        raise MalformedBodyError(f"body: invalid JSON: {error.msg}: {repr(place) if place else 'the end'}") from error
    except RecursionError as error:
        raise MalformedBodyError("body: invalid JSON: nested too deep") from error
    except ValueError as error:
        raise MalformedBodyError(f"body: invalid JSON: {error}") from error


def _check_unicode(parsed: Any) -> None:
    """Refuse escaped halves of surrogate pairs, which no answer could quote."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MalformedBodyError("body: invalid JSON: half of a surrogate pair") from error

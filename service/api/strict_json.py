"""JSON in which no key comes twice in an object, and NaN and Infinity are no numbers."""

import json
from typing import Any

__all__ = ["RepeatedKeyError", "loads", "whole_number"]

MAX_DIGITS = 300  # of an int; `int` itself refuses more than 4300, in words about Python


class RepeatedKeyError(ValueError):
    """A key that comes twice in one object."""

    def __init__(self, key: str) -> None:
        super().__init__("given more than once")
        self.key = key.encode(errors="backslashreplace").decode()  # half a surrogate pair is no text


def loads(text: str | bytes) -> Any:
    """Parse JSON. Raises RepeatedKeyError, another ValueError, or RecursionError."""
    return json.loads(text, object_pairs_hook=_object, parse_int=whole_number, parse_constant=_no_constant)


def whole_number(digits: str) -> int | float:
    """Read a whole number. One that is far out of every range is a float, and may be infinite, as 1e999 is."""
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RepeatedKeyError(key)
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

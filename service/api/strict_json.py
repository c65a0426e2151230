"""Strict JSON: no key occurs twice in an object, and NaN and Infinity are errors."""

import json
from typing import Any

__all__ = ["RepeatedKeyError", "loads", "whole_number"]

MAX_DIGITS = 300  # of an int; beyond 4300, `int` raises an error about Python


class RepeatedKeyError(ValueError):
    """A key occurs twice in one object."""

    def __init__(self, key: str) -> None:
        super().__init__("given more than once")
        self.key = key.encode(errors="backslashreplace").decode()  # half a surrogate pair is no text


def loads(text: str | bytes) -> Any:
    """Parse JSON. Raises RepeatedKeyError, another ValueError, or RecursionError."""
    return json.loads(text, object_pairs_hook=_object, parse_int=whole_number, parse_constant=_no_constant)


def whole_number(digits: str) -> int | float:
    """Parse a whole number. One of more than MAX_DIGITS digits becomes a float, possibly infinite, like 1e999."""
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

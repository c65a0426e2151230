"""JSON in which no key comes twice in an object, and NaN and Infinity are no numbers."""

import json
from typing import Any

__all__ = ["RepeatedKeyError", "loads"]


class RepeatedKeyError(ValueError):
    """A key that comes twice in one object."""

    def __init__(self, key: str) -> None:
        super().__init__("given more than once")
        self.key = key.encode(errors="backslashreplace").decode()  # half a surrogate pair is no text


def loads(text: str | bytes) -> Any:
    """Parse JSON. Raises RepeatedKeyError, another ValueError, or RecursionError."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RepeatedKeyError(key)
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

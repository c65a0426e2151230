"""Calls: what to send, by the interface's own names, and how to read the answer."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from service.client.photos import PhotoSource

__all__ = ["Call", "form_values"]

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, to be sent as often as it takes."""

    method: Literal["GET", "POST"]
    path: str
    read: Callable[[bytes], T]
    """makes the result of the answer's body; raises ValueError if it is another's"""
    photos: Mapping[str, PhotoSource] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def form_values(fields: Mapping[str, Any]) -> dict[str, str]:
    """Write fields as a form has them; None is left out."""
    return {name: _as_text(value) for name, value in fields.items() if value is not None}


def _as_text(value: Any) -> str:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    if any(isinstance(each, Mapping) for each in value):
        return json.dumps(list(value), default=float)  # of numpy
    return ",".join(str(each) for each in value)

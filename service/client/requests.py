"""What a call sends: photos, and the fields of each endpoint, by the interface's own names."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any, Generic, Literal, Required, TypedDict, TypeVar

from PIL import Image

from model.protocol import InterpolationPath, Rank, Select
from service.codecs.encoding import OutputFormat

__all__ = [
    "Call",
    "ColorizationFields",
    "Hint",
    "InterpolationFields",
    "PhotoSource",
    "TransferFields",
    "VariationFields",
    "form_values",
    "opened",
]

T = TypeVar("T")

PhotoSource = str | PathLike[str] | bytes | IO[bytes] | Image.Image
"""a path, a file's bytes, a file open for reading bytes, which is streamed, or a Pillow image, which is sent as PNG"""


class Hint(TypedDict):
    """A colour wished for at a point of the photo."""

    x: float
    """0 = left, 1 = right"""
    y: float
    """0 = top, 1 = bottom"""
    color: str
    """`#rrggbb`"""


class Fields(TypedDict, total=False):
    """What every call that colorizes may say."""

    temperature: float | None
    output_format: OutputFormat
    output_compression: int


class ColorizationFields(Fields, total=False):
    """How to colorize."""

    n: int
    offset: int
    seed: int | None
    latent_norm: float | None
    rank: Rank
    candidates: int | None
    select: Select
    hints: Sequence[Hint]


class VariationFields(Fields, total=False):
    """Which coloring to vary, and how much."""

    seed: Required[int]
    index: Required[int]
    n: int
    offset: int
    strength: float
    levels: Sequence[int] | Literal["coarse", "fine", "all"] | None
    noise_seed: int | None
    latent_norm: float | None


class TransferFields(Fields, total=False):
    """How to take over the colours of a reference."""

    n: int
    offset: int
    seed: int | None
    weights: Sequence[float] | None


class InterpolationFields(Fields, total=False):
    """Between which two colorings to go, and how."""

    seed: Required[int]
    index: Required[int]
    to_index: int | None
    to_seed: int | None
    steps: int
    path: InterpolationPath
    latent_norm: float | None
    reference: PhotoSource | None


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
        return json.dumps(list(value))
    return ",".join(str(each) for each in value)


@contextmanager
def opened(photos: Mapping[str, PhotoSource]) -> Iterator[dict[str, tuple[str, IO[bytes]]]]:
    """Open photos as files with names, for as long as it takes; those given open stay open.

    Raises OSError for a path that cannot be read.
    """
    with ExitStack() as stack:

        def open_one(name: str, photo: PhotoSource) -> tuple[str, IO[bytes]]:
            if isinstance(photo, bytes):
                return name, BytesIO(photo)
            if isinstance(photo, Image.Image):
                png = BytesIO()
                photo.save(png, "PNG")
                return name, png
            if isinstance(photo, str | PathLike):
                return Path(photo).name, stack.enter_context(Path(photo).open("rb"))
            return name, photo

        yield {name: open_one(name, photo) for name, photo in photos.items()}

"""The calls of the interface: path, photos, fields and answer of each."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Literal, TypeVar, Unpack

from pydantic import BaseModel

from service.api.schemas import LikelihoodResponse, ModelList
from service.client.answers import ColorizationResponse
from service.client.fields import ColorizationFields, InterpolationFields, TransferFields, VariationFields
from service.client.photos import PhotoSource

__all__ = ["Call", "ColoringCalls", "Headers", "likelihoods", "models"]

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", covariant=True)

Headers = Mapping[str, str | None] | None
"""extra headers of one call by name; None is left out, as for fields"""


@dataclass(frozen=True)
class Call(Generic[M]):
    """One request, which may be sent several times."""

    method: Literal["GET", "POST"]
    path: str
    answer: type[M]
    photos: Mapping[str, PhotoSource] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    extra_headers: Headers = None


def models(extra_headers: Headers) -> Call[ModelList]:
    """Ask for the loaded model."""
    return Call("GET", "/v1/models", ModelList, extra_headers=extra_headers)


def likelihoods(image: PhotoSource, extra_headers: Headers) -> Call[LikelihoodResponse]:
    """Ask for the bits per dimension of a photo's own colors."""
    return _post("/v1/likelihoods", {"image": image}, {}, LikelihoodResponse, extra_headers)


class ColoringCalls(ABC, Generic[R]):
    """The calls that make colorings. R: the type that a call returns: an answer, a stream, or an awaitable of one.

    extra_headers: headers of all requests of this call, such as X-Request-Id or traceparent. They replace the client's,
    such as Authorization; None is left out. ValueError for a header that HTTP cannot hold, and for those that only the
    client sets, such as Accept, Content-Type and Host.
    """

    def colorizations(
        self, image: PhotoSource, *, extra_headers: Headers = None, **fields: Unpack[ColorizationFields]
    ) -> R:
        """Get n colorings of a photo."""
        return self._color("/v1/colorizations", {"image": image}, fields, extra_headers)

    def variations(self, image: PhotoSource, *, extra_headers: Headers = None, **fields: Unpack[VariationFields]) -> R:
        """Get more colorings like one of the same photo."""
        return self._color("/v1/variations", {"image": image}, fields, extra_headers)

    def transfers(
        self,
        image: PhotoSource,
        reference: PhotoSource,
        *,
        extra_headers: Headers = None,
        **fields: Unpack[TransferFields],
    ) -> R:
        """Get colorings of a photo whose colors come from a reference."""
        return self._color("/v1/transfers", {"image": image, "reference": reference}, fields, extra_headers)

    def interpolations(
        self, image: PhotoSource, *, extra_headers: Headers = None, **fields: Unpack[InterpolationFields]
    ) -> R:
        """Get the colorings on the way from one to another, or to a reference's colors."""
        reference = fields.pop("reference", None)
        photos = {"image": image} if reference is None else {"image": image, "reference": reference}
        return self._color("/v1/interpolations", photos, fields, extra_headers)

    def _color(
        self, path: str, photos: Mapping[str, PhotoSource], fields: Mapping[str, Any], extra_headers: Headers
    ) -> R:
        return self._send(_post(path, photos, fields, ColorizationResponse, extra_headers))

    @abstractmethod
    def _send(self, call: Call[ColorizationResponse]) -> R:
        """Send a call, now or later."""


def _post(
    path: str,
    photos: Mapping[str, PhotoSource],
    fields: Mapping[str, Any],
    answer: type[M],
    extra_headers: Headers,
) -> Call[M]:
    """Make a call of photos and fields; fields that are None are left out."""
    values = {name: _as_text(value) for name, value in fields.items() if value is not None}
    return Call("POST", path, answer, photos, values, extra_headers)


def _as_text(value: Any) -> str:
    """Write a value as text of a form."""
    if isinstance(value, Enum):
        value = value.value  # `str` would give its name
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return str(value)
    try:
        items = list(value)
    except TypeError:  # a numpy array without dimensions
        return str(value)
    if not items or any(isinstance(each, Iterable) and not isinstance(each, str) for each in items):
        return json.dumps(items, default=_plain)  # not an empty text, which would count as left out
    return ",".join(map(str, items))


def _plain(value: Any) -> Any:
    """Convert numpy values for JSON, and anything else to text, which the service refuses."""
    return value.tolist() if hasattr(value, "tolist") else str(value)

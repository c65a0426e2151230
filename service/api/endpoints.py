"""Endpoints: the files and fields that each takes."""

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, create_model

from model.options import InterpolationOptions, Options, SampleOptions, TransferOptions, VariationOptions
from service.api.parameters import LikelihoodParameters, Parameters, parameters_of

__all__ = [
    "COLORIZATIONS",
    "COLOR_ENDPOINTS",
    "INTERPOLATIONS",
    "LIKELIHOODS",
    "PIXEL",
    "TRANSFERS",
    "VARIATIONS",
    "ColorEndpoint",
    "Endpoint",
]

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)

P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True)
class Endpoint(Generic[P]):
    """The fields of a request."""

    name: str
    """name of one answer, such as colorization; the answer's id starts with it"""
    parameters: type[P]
    required_files: tuple[str, ...] = ("image",)
    optional_files: tuple[str, ...] = ()
    example: dict[str, Any] = field(default_factory=dict)
    """parameters of a small request that works; /docs fills in these alone"""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the fields that hold a file."""
        return self.required_files + self.optional_files

    @cached_property
    def request(self) -> type[P]:
        """The body as JSON: the parameters, and each file in base64."""
        required: dict[str, Any] = {name: (str, _file(...)) for name in self.required_files}
        optional: dict[str, Any] = {name: (str | None, _file(None)) for name in self.optional_files}
        name = self.parameters.__name__.replace("Parameters", "Request")
        return create_model(name, __base__=self.parameters, __doc__=self.parameters.__doc__, **required, **optional)


def _file(default: Any) -> Any:
    return Field(default, description="the file in base64, or a data URL", examples=[PIXEL])


@dataclass(frozen=True, kw_only=True)
class ColorEndpoint(Endpoint[Parameters]):
    """An endpoint whose answer is colorings."""

    options: type[Options]
    """the model's options; its parameters have the same fields"""
    summary: str
    description: str
    """description in OpenAPI"""

    def asked(self, parameters: Parameters) -> Options:
        """Return the model's options that the parameters stand for."""
        values = {each.name: getattr(parameters, each.name) for each in fields(self.options)}
        for name in ("hints", "at"):
            if name in values:
                values[name] = tuple(place.option() for place in values[name])
        return self.options(**values)


def _endpoint(name: str, options: type[Options], summary: str, description: str, **details: Any) -> ColorEndpoint:
    parameters = parameters_of(options, f"{name.capitalize()}Parameters")
    return ColorEndpoint(name, parameters, options=options, summary=summary, description=description, **details)


COLORIZATIONS = _endpoint(
    "colorization",
    SampleOptions,
    "Colorize a photo",
    "Get N different, plausible colorings of one black-and-white photo, at its own size or smaller.",
    example={"n": 1, "seed": 7},
)
VARIATIONS = _endpoint(
    "variation",
    VariationOptions,
    "Get more colorings like one",
    "Get N colorings that are like a given one of the same photo, the less the higher the strength.",
    example={"seed": 7, "index": 2, "n": 1},
)
TRANSFERS = _endpoint(
    "transfer",
    TransferOptions,
    "Colorize a photo by a reference",
    "Get N colorings of a photo whose colors come from another photo, through its latent.",
    required_files=("image", "reference"),
    example={"n": 1, "seed": 7},
)
INTERPOLATIONS = _endpoint(
    "interpolation",
    InterpolationOptions,
    "Go from one coloring to another",
    "Get the colorings along a path between two of the same photo, or from one to a reference's colors.",
    optional_files=("reference",),
    example={"seed": 7, "index": 0, "to_index": 1},
)
COLOR_ENDPOINTS = (COLORIZATIONS, VARIATIONS, TRANSFERS, INTERPOLATIONS)
LIKELIHOODS = Endpoint("likelihood", LikelihoodParameters)

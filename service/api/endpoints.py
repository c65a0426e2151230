"""What each endpoint takes, and what it asks of the model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, create_model

from model.protocol import (
    InterpolationOptions,
    LatentName,
    Options,
    SampleOptions,
    TransferOptions,
    VariationOptions,
)
from service.api.parameters import (
    ColorizationParameters,
    InterpolationParameters,
    LikelihoodParameters,
    Parameters,
    TransferParameters,
    VariationParameters,
)

__all__ = [
    "COLORIZATIONS",
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
ColorP = TypeVar("ColorP", bound=Parameters)


@dataclass(frozen=True)
class Endpoint(Generic[P]):
    """The fields of a request."""

    name: str
    """of one answer; its id starts with it"""
    parameters: type[P]
    required_files: tuple[str, ...] = ("image",)
    optional_files: tuple[str, ...] = ()
    example: dict[str, Any] = field(default_factory=dict)
    """parameters that make a request which works"""

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
class ColorEndpoint(Endpoint[ColorP]):
    """An endpoint whose answer is colorings."""

    options: Callable[[ColorP], Options]
    """what the parameters ask of the model"""


def _colorize(asked: ColorizationParameters) -> Options:
    return SampleOptions(
        n=asked.n,
        seed=asked.seed,
        temperature=asked.temperature,
        latent_norm=asked.latent_norm,
        candidates=asked.candidates,
        select=asked.select,
        rank=asked.rank,
        hints=tuple(point.hint() for point in asked.hints),
        offset=asked.offset,
    )


def _vary(asked: VariationParameters) -> Options:
    return VariationOptions(
        n=asked.n,
        origin=LatentName(asked.seed, asked.index),
        strength=asked.strength,
        noise_seed=asked.noise_seed,
        levels=asked.levels,
        temperature=asked.temperature,
        latent_norm=asked.latent_norm,
        offset=asked.offset,
    )


def _transfer(asked: TransferParameters) -> Options:
    return TransferOptions(asked.n, asked.seed, asked.weights, asked.temperature, asked.offset)


def _interpolate(asked: InterpolationParameters) -> Options:
    to_seed = asked.seed if asked.to_seed is None else asked.to_seed
    return InterpolationOptions(
        steps=asked.steps,
        start=LatentName(asked.seed, asked.index),
        end=None if asked.to_index is None else LatentName(to_seed, asked.to_index),
        path=asked.path,
        temperature=asked.temperature,
        latent_norm=asked.latent_norm,
    )


COLORIZATIONS = ColorEndpoint("colorization", ColorizationParameters, example={"n": 4, "seed": 7}, options=_colorize)
VARIATIONS = ColorEndpoint(
    "variation", VariationParameters, example={"seed": 7, "index": 2, "strength": 0.5, "n": 4}, options=_vary
)
TRANSFERS = ColorEndpoint(
    "transfer", TransferParameters, ("image", "reference"), example={"n": 4, "seed": 7}, options=_transfer
)
INTERPOLATIONS = ColorEndpoint(
    "interpolation",
    InterpolationParameters,
    optional_files=("reference",),
    example={"seed": 7, "index": 0, "to_index": 1, "steps": 5},
    options=_interpolate,
)
LIKELIHOODS = Endpoint("likelihood", LikelihoodParameters)

"""Request fields: pydantic models made from the model's options, and the fields about the answer's form."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, get_args, get_type_hints

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model.options import MAX_SEED, RANDOM, Hint, Option, Options, Point
from service.api import strict_json
from service.api.formats import OutputFormat

__all__ = [
    "HEX_COLOR",
    "LikelihoodParameters",
    "Parameters",
    "PhotoPoint",
    "PointColor",
    "bounds_of",
    "option_of",
    "parameters_of",
    "parts_of",
    "random_seed",
]


HEX_COLOR = "#[0-9a-fA-F]{6}"
"""Pattern of a color."""


def random_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)


class _Strict(BaseModel):
    """Strict validation: refuses unknown fields, booleans for numbers, and infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, values: Any) -> Any:
        """Treat null as left out, as OpenAI's API does."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None or name not in cls.model_fields}

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_boolean(cls, value: object) -> object:
        """Refuse booleans, which would count as 0 and 1."""
        if any(isinstance(each, bool) for each in (value if isinstance(value, list) else [value])):
            raise PydanticCustomError("boolean", "expected no boolean")
        return value


class Parameters(_Strict):
    """The fields of every endpoint that colorizes."""

    output_format: OutputFormat = Field(
        default="jpeg",
        description="format of the files; JPEG keeps the colors at full size (4:4:4)",
        examples=["jpeg"],
    )
    output_compression: int = Field(
        default=90,
        ge=1,
        le=100,
        description="quality of JPEG and WebP; PNG is lossless and ignores it",
        examples=[90],
    )
    output_max_side: int | None = Field(
        default=None,
        ge=16,
        description=(
            "for previews: the longer side of the colorings in pixels, at most; their colors stay the same; left out = "
            "as large as the photo"
        ),
        examples=[1024],
    )
    response_format: Literal["b64_json", "zip"] = Field(
        default="b64_json",
        description="JSON with base64, or a zip of the files; left out, the Accept header decides",
        examples=["b64_json"],
    )


class LikelihoodParameters(_Strict):
    """A likelihood has no parameters: the photo is all."""


class PhotoPoint(_Strict):
    """A point of the photo."""

    x: float = Field(ge=0, le=1, description="0 = left, 1 = right", examples=[0.31])
    y: float = Field(ge=0, le=1, description="0 = top, 1 = bottom", examples=[0.62])

    def option(self) -> Point:
        """Return the model's own form."""
        return Point(self.x, self.y)


class PointColor(PhotoPoint):
    """A color wished for at a point of the photo."""

    color: str = Field(
        pattern=f"^{HEX_COLOR}$",
        description="sRGB; the photo keeps its own lightness, so that hue and chroma alone are followed",
        examples=["#a03c28"],
    )

    def option(self) -> Hint:
        red, green, blue = bytes.fromhex(self.color[1:])
        return Hint(self.x, self.y, (red, green, blue))


PLACES: dict[Any, Any] = {tuple[Point, ...]: tuple[PhotoPoint, ...], tuple[Hint, ...]: tuple[PointColor, ...]}
"""types of options that are points, and of their request fields"""


def parameters_of(
    options: type[Options], name: str, base: type[Parameters] = Parameters, **defaults: Any
) -> type[Parameters]:
    """Make the request fields of an options class: same names, types, ranges and sentences.

    base: a class with further fields. defaults: values that replace the options' own.
    """
    hints = get_type_hints(options, include_extras=True)
    made: dict[str, Any] = {}
    for each in fields(options):
        option = option_of(hints[each.name])
        default = each.default
        if default is MISSING:
            default = ... if option.default is None else option.default  # ... = required
        given: dict[str, Any] = {"default": defaults.get(each.name, default)}
        if default == RANDOM:
            given = {"default_factory": random_seed}
        made[each.name] = (
            _wire_type(hints[each.name], option),
            Field(**given, description=option.meaning, examples=[option.example]),
        )
    return create_model(name, __base__=base, __doc__=options.__doc__, **made)


def option_of(hint: Any) -> Option:
    (option,) = (each for each in get_args(hint) if isinstance(each, Option))
    return option


def _wire_type(hint: Any, option: Option) -> Any:
    """Return the type of a request field, which also parses the text of a form."""
    base, *ranges = get_args(hint)
    *_, longest = bounds_of(hint)
    if longest is None:
        return hint
    if base in PLACES:
        return Annotated[PLACES[base], *ranges, _at_most(longest), BeforeValidator(_array)]
    return Annotated[hint, _at_most(longest), BeforeValidator(_numbers(option.words or {}))]


def parts_of(hint: Any) -> Iterator[Any]:
    """Yield a type, the types inside it, and their annotations, such as a range."""
    yield hint
    for part in get_args(hint):
        yield from parts_of(part)


def bounds_of(*hints: Any) -> tuple[Any, Any, int | None]:
    """Return the lower and upper bound and the maximum length that types declare; None for each they do not."""
    parts = [part for hint in hints for part in parts_of(hint)]
    low = next((each.ge for each in parts if isinstance(each, Ge)), None)
    high = next((each.le for each in parts if isinstance(each, Le)), None)
    return low, high, next((each.max_length for each in parts if isinstance(each, MaxLen)), None)


def _at_most(items: int) -> BeforeValidator:
    """Refuse a longer array before its items are validated: each could add an error to the answer."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > items:
            raise PydanticCustomError("too_long", f"expected at most {items} items, got {len(value)}")
        return value

    return BeforeValidator(check)


def _array(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return strict_json.loads(value)
    except strict_json.RepeatedKeyError as error:  # pydantic would prefix a ValueError's text with "Value error"
        raise PydanticCustomError("given_twice", "{reason}", {"reason": f"{error.key}: {error}"}) from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise PydanticCustomError("no_array", "expected a JSON array ({reason})", {"reason": reason}) from error


def _numbers(words: dict[str, Any]) -> Callable[[Any], Any]:
    """Parse comma-separated numbers, or a word that stands for them."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value in words:
            return words[value]
        parts = [part.strip() for part in value.split(",")]
        if words and not all(part.isdecimal() for part in parts):
            expected = f"expected {', '.join(words)}, or numbers with commas between them"
            raise PydanticCustomError("no_word", expected)
        return [strict_json.whole_number(part) if part.isdecimal() else part for part in parts]

    return read

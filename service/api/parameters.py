"""What a request may ask for beside its files: the fields of each endpoint, their ranges and examples."""

import json
import secrets
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from model.protocol import Hint, InterpolationPath, Rank, Select
from service.codecs.encoding import OutputFormat

__all__ = [
    "MAX_CANDIDATES",
    "MAX_SAMPLES",
    "MAX_SEED",
    "MAX_STEPS",
    "ColorizationParameters",
    "Count",
    "InterpolationParameters",
    "LikelihoodParameters",
    "Parameters",
    "PointColor",
    "TransferParameters",
    "VariationParameters",
    "random_seed",
]

MAX_SAMPLES = 16
MAX_CANDIDATES = 64
MAX_HINTS = 32
MAX_STEPS = 16
MAX_SEED = 2**32 - 1
LEVELS = {"coarse": (8, 16), "fine": (32, 64), "all": (8, 16, 32, 64)}


def random_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)


def _seed(value: Any) -> Any:
    return random_seed() if value is None else value


def _array(value: Any) -> Any:
    """Read what a form sends as text: JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("expected a JSON array") from error


def _numbers(value: Any) -> Any:
    """Read what a form sends as text: numbers with commas between them."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",")]
    return [int(part) if part.isdecimal() else part for part in parts]


def _at_most(items: int) -> BeforeValidator:
    """Refuse a longer array before its items are looked at: each could be at fault, and take its own words."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > items:
            raise PydanticCustomError("too_long", f"expected at most {items} items, got {len(value)}")
        return value

    return BeforeValidator(check)


def _levels(value: Any) -> Any:
    return LEVELS[value] if isinstance(value, str) and value in LEVELS else _numbers(value)


ZeroToOne = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ZeroToTwo = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MAX_SAMPLES, description="how many colorings", examples=[4])]
Offset = Annotated[
    int,
    Field(
        ge=0,
        lt=MAX_CANDIDATES,
        description="index of the first: n=2 and offset=4 are colorings 4 and 5 of the seed; all below 64",
        examples=[0],
    ),
]
Index = Annotated[int, Field(ge=0, lt=MAX_CANDIDATES, description="of the coloring, as it came", examples=[2])]
Seed = Annotated[int, BeforeValidator(_seed), Field(ge=0, le=MAX_SEED, examples=[7])]
Temperature = Annotated[
    ZeroToTwo | None,
    Field(
        description="standard deviation of the latents (below 1, of fine levels still less): 0 = the one coloring of "
        "z = 0, 1 = the model's own distribution; left out = what the model card recommends",
        examples=[0.8],
    ),
]
LatentNorm = Annotated[
    ZeroToTwo | None,
    Field(description="rescale each latent to this norm, in units of √dim; left out = as drawn", examples=[1.0]),
]
SEED_OF_SAMPLES = (
    "the same photo, seed and temperature give the same colorings; left out = random, and the one used is returned"
)
SEED_OF_ORIGINAL = "of the coloring; photo, temperature and latent_norm must be those it was made with"


class Parameters(BaseModel):
    """What every endpoint that colorizes has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Seed = Field(default_factory=random_seed, description=SEED_OF_SAMPLES)
    temperature: Temperature = None
    output_format: OutputFormat = Field(default="jpeg", examples=["jpeg"])
    output_compression: int = Field(
        default=90,
        ge=1,
        le=100,
        description="quality of JPEG and WebP; PNG is lossless and ignores it",
        examples=[90],
    )
    response_format: Literal["b64_json", "zip"] = Field(
        default="b64_json",
        description="JSON with base64, or a zip of the files; left out, the Accept header decides",
        examples=["b64_json"],
    )

    @property
    def samples(self) -> int:
        """How many colorings the answer has."""
        raise NotImplementedError

    @property
    def latents(self) -> int:
        """How many latents are drawn for them."""
        return self.samples


class PointColor(BaseModel):
    """A colour wished for at a point of the photo."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: ZeroToOne = Field(description="0 = left, 1 = right", examples=[0.31])
    y: ZeroToOne = Field(description="0 = top, 1 = bottom", examples=[0.62])
    color: str = Field(
        pattern="^#[0-9a-fA-F]{6}$",
        description="sRGB; the photo keeps its own lightness, so that hue and chroma alone are followed",
        examples=["#a03c28"],
    )

    def hint(self) -> Hint:
        """Return it as the model takes it."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return Hint(self.x, self.y, (red, green, blue))


class ColorizationParameters(Parameters):
    """How to colorize, without the photo itself."""

    n: Count = 4
    offset: Offset = 0
    latent_norm: LatentNorm = None
    rank: Rank = Field(
        default="none",
        description="`likelihood` sorts the colorings, the likeliest first; `none` keeps the drawn order",
        examples=["none"],
    )
    candidates: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CANDIDATES,
        description="how many are drawn for `select` to choose n from; at least n, and left out = n",
        examples=[32],
    )
    select: Select = Field(
        default="first",
        description="which of the candidates come back: the first n, n that lie far apart in colour, or the n of the "
        "highest likelihood",
        examples=["diverse"],
    )
    hints: Annotated[tuple[PointColor, ...], _at_most(MAX_HINTS), BeforeValidator(_array)] = Field(
        default=(),
        max_length=MAX_HINTS,
        description="colours that the colorings follow at points of the photo; in a form as a JSON array",
        examples=[[{"x": 0.31, "y": 0.62, "color": "#a03c28"}]],
    )

    @property
    def samples(self) -> int:
        """How many colorings the answer has."""
        return self.n

    @property
    def latents(self) -> int:
        """How many latents are drawn for them: every candidate's."""
        return max(self.n, self.candidates or 0)


class VariationParameters(Parameters):
    """Which coloring to vary, and how much."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description=SEED_OF_ORIGINAL, examples=[7])]
    index: Index
    n: Count = 4
    offset: Offset = 0
    strength: ZeroToOne = Field(
        default=0.5, description="0 = the coloring itself, 1 = independent of it", examples=[0.5]
    )
    levels: Annotated[
        tuple[Literal[8, 16, 32, 64], ...] | None, _at_most(len(LEVELS["all"])), BeforeValidator(_levels)
    ] = Field(
        default=None,
        description="sizes of the levels whose latents move: `coarse` = 8,16 (which colours), `fine` = 32,64 (their "
        "detail), `all`, or sizes; left out = all",
        examples=[[8, 16]],
    )
    noise_seed: Seed = Field(
        default_factory=random_seed,
        description="of what is new in the variations; left out = random, and the one used is returned",
        examples=[11],
    )
    latent_norm: LatentNorm = None

    @property
    def samples(self) -> int:
        """How many colorings the answer has."""
        return self.n


class TransferParameters(Parameters):
    """How to take over the colours of a reference."""

    n: Count = 4
    offset: Offset = 0
    weights: Annotated[tuple[ZeroToOne, ...] | None, _at_most(len(LEVELS["all"])), BeforeValidator(_numbers)] = Field(
        default=None,
        description="how much of each level, 8, 16, 32 and 64, comes from the reference: 1 copies its latents, 0 draws "
        "new ones; left out = 1,1,0,0",
        examples=[[1, 1, 0.5, 0]],
    )

    @property
    def samples(self) -> int:
        """How many colorings the answer has."""
        return self.n


class InterpolationParameters(Parameters):
    """Between which two colorings to go, and how."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description=SEED_OF_ORIGINAL, examples=[7])]
    index: Index
    to_index: Index | None = Field(
        default=None, description="of the coloring at the other end; left out where a reference is it", examples=[3]
    )
    to_seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="of the coloring at the other end; left out = seed", examples=[7]
    )
    steps: int = Field(default=5, ge=2, le=MAX_STEPS, description="colorings, both ends included", examples=[5])
    path: InterpolationPath = Field(
        default="spherical",
        description="`spherical` keeps the norm of the latents; `linear` makes it smaller between the ends",
        examples=["spherical"],
    )
    latent_norm: LatentNorm = None

    @property
    def samples(self) -> int:
        """How many colorings the answer has."""
        return self.steps


class LikelihoodParameters(BaseModel):
    """A likelihood has no parameters: the photo is all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

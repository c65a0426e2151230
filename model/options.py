"""Options of a request, each defined once with its type, range, default, sentence and example.

HTTP forms and JSON, OpenAPI, the command line, the client and the tables in docs/api.md are made from these classes.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from model.errors import InputError

__all__ = [
    "MAX_SEED",
    "PLAIN",
    "RANDOM",
    "TRANSFER_WEIGHTS",
    "Hint",
    "Hinted",
    "InterpolationOptions",
    "Look",
    "Option",
    "Options",
    "Point",
    "SampleOptions",
    "TransferOptions",
    "VariationOptions",
    "check_range",
    "check_together",
]

MAX_SAMPLES = 16
MAX_CANDIDATES = 64
MAX_HINTS = 32
MAX_TEMPERATURE = 2
MAX_LATENT_NORM = 2
MAX_SEED: Final = 2**32 - 1
RANDOM: Final = "random"
"""A default: a request that leaves this seed out gets a random one, and the answer says which."""

TRANSFER_WEIGHTS: Final = {8: 0.9, 16: 0.81}
"""Default weights of a transfer: the reference's share of these levels. Finer levels take nothing from it.

With 1 and 1, colorings of different seeds can hardly be told apart. 0.81 is 0.9².
"""


@dataclass(frozen=True)
class Option:
    """The texts about an option that users read. Its range stands beside it, as `Ge` and `Le`."""

    meaning: str
    """one sentence"""
    example: Any
    default: Any = None
    """the default for requests, if the class itself requires a value"""
    words: dict[str, Any] | None = None
    """words that a request may give in place of a value"""


Color = tuple[int, int, int]
ZeroToOne = Annotated[float, Ge(0), Le(1)]
Seed = Annotated[int, Ge(0), Le(MAX_SEED)]
Index = Annotated[int, Ge(0), Le(MAX_CANDIDATES - 1)]
Count = Annotated[int, Ge(1), Le(MAX_SAMPLES), Option("how many colorings", 4, default=4)]
Offset = Annotated[
    Index,
    Option("index of the first coloring: n=2 and offset=4 are colorings 4 and 5 of the seed; indices end at 63", 0),
]
NewSeed = Annotated[
    Seed, Option("the same photo, seed and temperature give the same colorings; left out = random", 7, default=RANDOM)
]
OriginalSeed = Annotated[
    Seed, Option("seed of the coloring; send the photo, temperature and latent_norm that made it, too", 7)
]
OriginalIndex = Annotated[Index, Option("index of the coloring", 2)]
Temperature = Annotated[
    Annotated[float, Ge(0), Le(MAX_TEMPERATURE)] | None,
    Option(
        "how daring the colors are: 0 = one coloring, the same for every seed; 1 = the model's own distribution; "
        "left out = the model's default",
        0.6,
    ),
]
Norm = Annotated[float, Ge(0), Le(MAX_LATENT_NORM)] | None
LatentNorm = Annotated[
    Norm,
    Option("in place of temperature: rescale each latent to this norm, in units of √dim; left out = as drawn", 1.0),
]


@dataclass(frozen=True)
class Point:
    """A point of the photo."""

    x: float
    """0 left … 1 right"""
    y: float
    """0 top … 1 bottom"""


@dataclass(frozen=True)
class Hint(Point):
    """A color wished for at a point of the photo."""

    color: Color
    """sRGB, 0 … 255; the photo keeps its own lightness, so only a*b* count"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How finished colorings look, at constant lightness."""

    saturation: Annotated[
        float, Ge(0), Le(2), Option("factor of every color's chroma: 0 = gray, 1 = as drawn, 2 = twice as strong", 1.2)
    ] = 1.0
    warmth: Annotated[
        float, Ge(-1), Le(1), Option("shift of all colors toward warm (1, as in afternoon light) or cool (−1)", 0.2)
    ] = 0.0


PLAIN = Look()


@dataclass(frozen=True, kw_only=True)
class Hinted:
    """Colors wished for at points of the photo, and how far they spread."""

    hints: Annotated[
        tuple[Hint, ...],
        MaxLen(MAX_HINTS),
        Option(
            "colors to follow at points of the photo; in a form, a JSON array",
            [{"x": 0.31, "y": 0.62, "color": "#a03c28"}],
        ),
    ] = ()
    hint_spread: Annotated[
        ZeroToOne,
        Option(
            "how far the hints' colors spread: 0 = around their points alone; 0.5 = over the things that they are on; "
            "1 = all colors are drawn anew, given the hints",
            0.5,
        ),
    ] = 0.5


class Counted:
    """Options that say how many colorings the answer holds."""

    n: int

    @property
    def samples(self) -> int:
        """Number of colorings in the answer."""
        return self.n

    @property
    def latents(self) -> int:
        """Number of latents drawn for them."""
        return self.samples


@dataclass(frozen=True)
class SampleOptions(Look, Hinted, Counted):
    """How to colorize. Sample i depends on photo, seed, i and temperature (or latent norm) alone."""

    n: Count
    seed: NewSeed
    temperature: Temperature = None
    latent_norm: LatentNorm = None
    candidates: Annotated[
        Annotated[int, Ge(1), Le(MAX_CANDIDATES)] | None,
        Option("number of samples drawn, from which `select` chooses n; at least n; left out = n", 32),
    ] = None
    select: Annotated[
        Literal["first", "diverse", "likely"],
        Option(
            "choice among the candidates: the first n, n that lie far apart in color, or the n of the highest "
            "likelihood",
            "diverse",
        ),
    ] = "first"
    rank: Annotated[
        Literal["none", "likelihood"],
        Option("`likelihood` sorts the colorings, the likeliest first; `none` keeps the drawn order", "none"),
    ] = "none"
    offset: Offset = 0

    @property
    def latents(self) -> int:
        return max(self.n, self.candidates or 0)


@dataclass(frozen=True)
class VariationOptions(Look, Hinted, Counted):
    """The coloring to vary, and how much: z = √(1 − s²)·z₀ + s·ε."""

    n: Count
    seed: OriginalSeed
    index: OriginalIndex
    strength: Annotated[
        ZeroToOne,
        Option("0 = the coloring itself, 1 = independent of it; without effect where `at` is given", 0.3, default=0.3),
    ]
    noise_seed: Annotated[Seed, Option("seed of the new noise; left out = random", 11, default=RANDOM)]
    levels: Annotated[
        Annotated[tuple[Literal[8, 16, 32, 64], ...], MinLen(1), MaxLen(4)] | None,
        Option(
            "sizes of the levels whose latents change: `coarse` = 8,16 (which colors), `fine` = 32,64 (their detail), "
            "`all`, or sizes; left out = all",
            [8, 16],
            words={"coarse": (8, 16), "fine": (32, 64), "all": (8, 16, 32, 64)},
        ),
    ] = None
    at: Annotated[
        tuple[Point, ...],
        MaxLen(MAX_HINTS),
        Option(
            "points on things that get other colors, while the rest of the coloring stays; in a form, a JSON array",
            [{"x": 0.31, "y": 0.62}],
        ),
    ] = ()
    temperature: Temperature = None
    latent_norm: LatentNorm = None
    offset: Offset = 0


@dataclass(frozen=True)
class TransferOptions(Look, Hinted, Counted):
    """How to take over the colors of a reference: z = w·z_reference + √(1 − w²)·ε."""

    n: Count
    seed: NewSeed
    weights: Annotated[
        Annotated[tuple[ZeroToOne, ...], MinLen(4), MaxLen(4)] | None,
        Option(
            "how much of each level, 8, 16, 32 and 64, comes from the reference: 1 copies its latents, 0 draws new "
            f"ones; left out = {TRANSFER_WEIGHTS[8]},{TRANSFER_WEIGHTS[16]},0,0",
            [1, 1, 0.5, 0],
        ),
    ] = None
    temperature: Temperature = None
    offset: Offset = 0


@dataclass(frozen=True)
class InterpolationOptions(Look, Hinted, Counted):
    """Between which two colorings to go, and how."""

    steps: Annotated[int, Ge(2), Le(MAX_SAMPLES), Option("how many colorings, both ends included", 5, default=5)]
    seed: OriginalSeed
    index: OriginalIndex
    to_seed: Annotated[
        Seed | None, Option("seed of the coloring at the other end; left out = seed; not allowed with a reference", 7)
    ] = None
    to_index: Annotated[
        Index | None, Option("index of the coloring at the other end; give exactly one of this and a reference", 3)
    ] = None
    path: Annotated[
        Literal["spherical", "linear"],
        Option("`spherical` keeps the norm of the latents; `linear` shrinks it between the ends", "spherical"),
    ] = "spherical"
    temperature: Temperature = None
    latent_norm: Annotated[
        Norm,
        Option(
            "latent_norm of the colorings at the ends, in place of temperature; steps between them are not rescaled",
            1.0,
        ),
    ] = None

    @property
    def samples(self) -> int:
        return self.steps


Options = SampleOptions | VariationOptions | TransferOptions | InterpolationOptions


def check_together(options: Options, has_reference: bool) -> None:
    """Check options whose range depends on others. Raises InputError."""
    if isinstance(options, InterpolationOptions):
        if (options.to_index is None) != has_reference:
            raise InputError(
                "reference", "exactly one of to_index and reference", "both" if has_reference else "neither"
            )
        if has_reference and options.to_seed is not None:
            raise InputError("to_seed", "none where a reference is the other end", options.to_seed)
        return
    check_range("n", options.n, 1, MAX_CANDIDATES)
    if isinstance(options, SampleOptions) and options.candidates is not None:
        check_range("candidates", options.candidates, options.n, MAX_CANDIDATES)
    check_range("offset", options.offset, 0, MAX_CANDIDATES - options.latents)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise InputError for a value that is not from low to high, such as NaN."""
    if not low <= value <= high:
        raise InputError(name, f"{low} to {high}", value)

"""Typed fields of each call. Made from model/options.py by `python -m service.api.generate`: do not edit."""

from collections.abc import Sequence
from typing import Literal, Required, TypedDict

from service.api.formats import OutputFormat
from service.client.photos import PhotoSource

__all__ = ["ColorizationFields", "Hint", "InterpolationFields", "Point", "TransferFields", "VariationFields"]


class Point(TypedDict):
    """A point of the photo."""

    x: float
    """0 = left, 1 = right"""
    y: float
    """0 = top, 1 = bottom"""


class Hint(Point):
    """A color wished for at a point of the photo."""

    color: str
    """`#rrggbb`"""


class SharedFields(TypedDict, total=False):
    """Fields of every call that makes colorings."""

    hints: Sequence[Hint]
    """colors to follow at points of the photo; in a form, a JSON array"""
    hint_spread: float
    """how far the hints' colors spread: 0 = around their points alone; 0.5 = over the things that they are on; 1 =
    all colors are drawn anew, given the hints"""
    saturation: float
    """factor of every color's chroma: 0 = gray, 1 = as drawn, 2 = twice as strong"""
    warmth: float
    """shift of all colors toward warm (1, as in afternoon light) or cool (−1)"""
    temperature: float | None
    """how daring the colors are: 0 = one coloring, the same for every seed; 1 = the model's own distribution; left
    out = the model's default"""
    output_format: OutputFormat
    """format of the files; JPEG keeps the colors at full size (4:4:4)"""
    output_compression: int
    """quality of JPEG and WebP; PNG is lossless and ignores it"""
    output_max_side: int | None
    """for previews: the longer side of the colorings in pixels, at most; their colors stay the same; left out = as
    large as the photo"""


class ColorizationFields(SharedFields, total=False):
    """How to colorize. Sample i depends on photo, seed, i and temperature (or latent norm) alone."""

    n: int
    """how many colorings"""
    seed: int | None
    """the same photo, seed and temperature give the same colorings; left out = random"""
    latent_norm: float | None
    """in place of temperature: rescale each latent to this norm, in units of √dim; left out = as drawn"""
    candidates: int | None
    """number of samples drawn, from which `select` chooses n; at least n; left out = n"""
    select: Literal["first", "diverse", "likely"]
    """choice among the candidates: the first n, n that lie far apart in color, or the n of the highest likelihood"""
    rank: Literal["none", "likelihood"]
    """`likelihood` sorts the colorings, the likeliest first; `none` keeps the drawn order"""
    offset: int
    """index of the first coloring: n=2 and offset=4 are colorings 4 and 5 of the seed; indices end at 63"""


class VariationFields(SharedFields, total=False):
    """The coloring to vary, and how much: z = √(1 − s²)·z₀ + s·ε."""

    n: int
    """how many colorings"""
    seed: Required[int]
    """seed of the coloring; send the photo, temperature and latent_norm that made it, too"""
    index: Required[int]
    """index of the coloring"""
    strength: float
    """0 = the coloring itself, 1 = independent of it; without effect where `at` is given"""
    noise_seed: int | None
    """seed of the new noise; left out = random"""
    levels: Sequence[Literal[8, 16, 32, 64]] | Literal["coarse", "fine", "all"] | None
    """sizes of the levels whose latents change: `coarse` = 8,16 (which colors), `fine` = 32,64 (their detail), `all`,
    or sizes; left out = all"""
    at: Sequence[Point]
    """points on things that get other colors, while the rest of the coloring stays; in a form, a JSON array"""
    latent_norm: float | None
    """in place of temperature: rescale each latent to this norm, in units of √dim; left out = as drawn"""
    offset: int
    """index of the first coloring: n=2 and offset=4 are colorings 4 and 5 of the seed; indices end at 63"""


class TransferFields(SharedFields, total=False):
    """How to take over the colors of a reference: z = w·z_reference + √(1 − w²)·ε."""

    n: int
    """how many colorings"""
    seed: int | None
    """the same photo, seed and temperature give the same colorings; left out = random"""
    weights: Sequence[float] | None
    """how much of each level, 8, 16, 32 and 64, comes from the reference: 1 copies its latents, 0 draws new ones;
    left out = 0.9,0.81,0,0"""
    offset: int
    """index of the first coloring: n=2 and offset=4 are colorings 4 and 5 of the seed; indices end at 63"""


class InterpolationFields(SharedFields, total=False):
    """Between which two colorings to go, and how."""

    steps: int
    """how many colorings, both ends included"""
    seed: Required[int]
    """seed of the coloring; send the photo, temperature and latent_norm that made it, too"""
    index: Required[int]
    """index of the coloring"""
    to_seed: int | None
    """seed of the coloring at the other end; left out = seed; not allowed with a reference"""
    to_index: int | None
    """index of the coloring at the other end; give exactly one of this and a reference"""
    path: Literal["spherical", "linear"]
    """`spherical` keeps the norm of the latents; `linear` shrinks it between the ends"""
    latent_norm: float | None
    """latent_norm of the colorings at the ends, in place of temperature; steps between them are not rescaled"""
    reference: PhotoSource | None

"""Plans: how to draw the samples of a task.

A plan draws the coarsest level of its samples; the finer levels of several plans then share passes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from model.drawing.hints import (
    check_hints,
    check_points,
    drawn_hints,
    given_cells,
    points_inside,
    tolerance_of,
    wished_chroma,
    without_cells,
)
from model.drawing.latents import (
    deviations_at,
    draw_latents,
    interpolate_latents,
    mix_latents,
    rescale_latents,
    temperature_of_norm,
)
from model.drawing.passes import Passes
from model.drawing.runtimes.runtime import Condition, Floats
from model.errors import InputError
from model.flow.checkpoint import Checkpoint
from model.flow.sizes import SIDE
from model.options import (
    MAX_CANDIDATES,
    MAX_SAMPLES,
    MAX_SEED,
    TRANSFER_WEIGHTS,
    Color,
    Hint,
    InterpolationOptions,
    Point,
    SampleOptions,
    TransferOptions,
    VariationOptions,
    check_range,
    check_together,
)
from model.protocol import DrawTask, SmallPhoto
from model.selection import select_diverse, select_likely, select_palette

__all__ = ["Draws", "Planner", "own_chroma"]

CALM = 4
"""A transfer's coarsest level decodes at T + (1 - T) * weight**CALM, for its weight of the reference.

A photo's own latents belong to temperature 1. With weight 1, decoding at 1 gives back its own colors, except for the
rounding of draws in bfloat16; with smaller weights, viewers find calmer colors more convincing.
"""
TRIES = 4
"""Draws for each coloring of a transfer; the one with colors most like the reference's is taken."""


class Drawing(NamedTuple):
    """How the latents of one task are drawn and decoded."""

    temperature: float
    deviations: Sequence[float]
    """standard deviation of each level's latents"""
    decoding: float
    """the temperature of the coarsest level's mixtures"""
    norm: float | None


class Draws(NamedTuple):
    """The draws of a task, and the facts about them for the answer."""

    latents: Sequence[Floats]
    """(N, dim) of each level"""
    indices: Sequence[int]
    temperature: float
    decoding: Floats
    """(N,): the temperatures of the coarsest level's mixtures"""
    hints: tuple[Hint, ...] = ()
    tolerance: float = 0.0
    """nats by which hints may make a cell's color less plausible before it changes"""
    fixed: Sequence[Hint] = ()
    """hints inside the photo's frame, with points relative to the inside; their colors are those of the first draw"""
    wished: Floats | None = None
    """(N, K, 2) a*b* of these hints"""
    given: Floats | None = None
    """(N, 2, 8, 8) a*b* of their cells, NaN elsewhere"""
    at: Sequence[Point] = ()
    """points inside the photo's frame that get other colors"""
    fresh: Floats | None = None
    """(N, 128) latents of these colors"""
    colors: Sequence[tuple[Color, ...]] = ()
    """these colors, once drawn; none without `at`"""
    choose: Callable[[Condition, Floats], Sequence[int]] | None = None
    """selects the draws to complete from the photo's condition and the draws' (N, 2, 8, 8) a*b*; None: all"""
    ranked: bool = False
    """sort samples, likeliest first"""

    @property
    def given_elsewhere(self) -> Floats | None:
        """The given cells without those of `at`."""
        return None if self.given is None else without_cells(self.given, self.at)

    def recolored(self, photo: SmallPhoto, coarsest: Floats) -> "Draws":
        """Return the same draws, with the colors at `at` of (N, 2, 8, 8) a*b* as hints.

        So a hint of such a color gives the same coloring again.
        """
        drawn = drawn_hints(photo, self.at, coarsest)
        recolored = self.following(photo, [[*self.fixed, *each] for each in drawn])
        return recolored._replace(colors=[tuple(hint.color for hint in each) for each in drawn])

    def following(self, photo: SmallPhoto, hints: Sequence[Sequence[Hint]]) -> "Draws":
        """Return the same draws with hints inside the frame: those of each draw, or one list for all."""
        if not hints[0]:
            return self
        wished = np.stack([wished_chroma(photo, each) for each in hints])
        given = given_cells(photo, hints[0], wished)
        rows = len(self.latents[0])
        return self._replace(
            fixed=hints[0],
            wished=np.broadcast_to(wished, (rows, *wished.shape[1:])),
            given=np.broadcast_to(given, (rows, *given.shape[1:])),
        )

    def chosen(self, condition: Condition, coarsest: Floats) -> tuple[Floats, "Draws"]:
        """Return the draws to complete, and the facts about them."""
        if self.choose is None:
            return coarsest, self
        rows = self.choose(condition, coarsest)
        latents, indices = [z[rows] for z in self.latents], [self.indices[row] for row in rows]
        wished = None if self.wished is None else self.wished[rows]
        return coarsest[rows], self._replace(latents=latents, indices=indices, wished=wished)


Plan = Callable[[], Draws]
"""returns the draws; encodes a reference when called, since all tasks are checked before the network runs for any"""


class Planner:
    """Checks a task's options before the network runs for it."""

    def __init__(self, checkpoint: Checkpoint, passes: Passes) -> None:
        self._checkpoint = checkpoint
        self._passes = passes
        self._sizes, self._dims = list(checkpoint.config.sizes), checkpoint.config.dims

    def plan(self, task: DrawTask) -> Plan:
        """Check the options and return the remaining work. Raises InputError for an option out of range."""
        options = task.options
        check_together(options, task.reference is not None)
        check_hints(options.hints, options.hint_spread)
        plan = self._plan(task)

        def follow() -> Draws:
            draws = plan()._replace(hints=options.hints, tolerance=tolerance_of(options.hint_spread))
            return draws.following(task.photo, [points_inside(options.hints, task.photo.frame)])

        return follow

    def _plan(self, task: DrawTask) -> Plan:
        """Return the plan of a task without its hints."""
        options = task.options
        if isinstance(options, SampleOptions):
            return self._samples(task.photo, options)
        if isinstance(options, VariationOptions):
            return self._variations(task.photo, options)
        if isinstance(options, TransferOptions):
            return self._transfer(task.photo, task.reference, options)
        return self._interpolation(task.photo, task.reference, options)

    def _samples(self, photo: SmallPhoto, options: SampleOptions) -> Plan:
        drawing = self._drawing(photo, options.temperature, options.latent_norm)
        many = options.n if options.select == "first" else options.latents
        numbers = range(options.offset, options.offset + many)
        latents = self._latents(options.seed, numbers, drawing)

        def choose(condition: Condition, coarsest: Floats) -> list[int]:
            if options.select == "likely":
                (decoded,) = self._passes.add_details([condition], [coarsest], [latents[1:]])
                return select_likely(decoded.bits_per_dim, options.n)
            return select_diverse(coarsest, options.n)  # finer levels change colors little

        draws = _draws(latents, numbers, drawing)._replace(
            choose=choose if many > options.n else None,
            ranked=options.rank == "likelihood",
        )
        return lambda: draws

    def _variations(self, photo: SmallPhoto, options: VariationOptions) -> Plan:
        check_range("strength", options.strength, 0, 1)
        moved = self._sizes if options.levels is None else options.levels
        if not set(moved) <= set(self._sizes):
            raise InputError("levels", f"sizes among {self._sizes}", moved)
        drawing = self._drawing(photo, options.temperature, options.latent_norm)
        numbers = range(options.offset, options.offset + options.n)
        origin = self._recall(options.seed, options.index, drawing)
        noise_seed = options.noise_seed
        if noise_seed == options.seed:  # else the noise would equal the latent that it is mixed with
            noise_seed = _other_seeds(noise_seed)[0]
        check_points("at", options.at)
        if options.at:
            same = [np.repeat(z, options.n, 0) for z in origin]
            at = points_inside(options.at, photo.frame)
            # not rescaled to a latent_norm: several colors are wanted
            fresh = draw_latents(self._dims[:1], [1.0], noise_seed, numbers, stratified=True)[0]
            return lambda: _draws(same, numbers, drawing)._replace(at=at, fresh=fresh if at else None)
        noise = self._latents(noise_seed, numbers, drawing)
        kept = (1 - options.strength**2) ** 0.5
        weights = [kept if size in moved else 1.0 for size in self._sizes]
        latents = mix_latents(origin, noise, weights)
        if options.latent_norm is not None and options.strength > 0:  # at 0, latents must stay bit-identical
            latents = rescale_latents(latents, options.latent_norm)
        return lambda: _draws(latents, numbers, drawing)

    def _transfer(self, photo: SmallPhoto, reference: SmallPhoto | None, options: TransferOptions) -> Plan:
        if reference is None:
            raise InputError("reference", "a photo", None)
        drawing = self._drawing(photo, options.temperature, None)
        weights = options.weights
        if weights is None:
            weights = tuple(TRANSFER_WEIGHTS.get(size, 0.0) for size in self._sizes)
        numbers = range(options.offset, options.offset + options.n)
        noise = self._latents(options.seed, numbers, drawing)
        mix_latents(noise, noise, weights)  # raises for weights out of range
        if 0 < weights[0] < 1:  # else all tries would be equal, or not depend on the reference
            others = (self._latents(seed, numbers, drawing) for seed in _other_seeds(options.seed))
            noise = [np.concatenate(level) for level in zip(noise, *others, strict=True)]
        drawing = drawing._replace(decoding=_between(drawing.decoding, 1.0, weights[0] ** CALM))

        def plan() -> Draws:
            latents = mix_latents(self._latents_of(reference), noise, weights)
            palette = _cells(own_chroma(reference)[0])

            def choose(_: Condition, coarsest: Floats) -> list[int]:
                tries = np.arange(len(coarsest)).reshape(-1, options.n).T
                return [own[select_palette(coarsest[own], palette)] for own in tries]

            indices = [*numbers] * (len(latents[0]) // options.n)
            return _draws(latents, indices, drawing)._replace(choose=choose)

        return plan

    def _interpolation(self, photo: SmallPhoto, reference: SmallPhoto | None, options: InterpolationOptions) -> Plan:
        check_range("steps", options.steps, 2, MAX_SAMPLES)
        drawing = self._drawing(photo, options.temperature, options.latent_norm)
        start = self._recall(options.seed, options.index, drawing)
        to_seed = options.seed if options.to_seed is None else options.to_seed
        recalled = [] if options.to_index is None else self._recall(to_seed, options.to_index, drawing)
        last = drawing.decoding if reference is None else 1.0
        positions = np.linspace(0, 1, options.steps).tolist()

        def plan() -> Draws:
            end = recalled if reference is None else self._latents_of(reference)
            latents = interpolate_latents(start, end, positions, options.path == "spherical")
            decoding = np.array([_between(drawing.decoding, last, t) for t in positions], np.float32)
            return _draws(latents, range(options.steps), drawing)._replace(decoding=decoding)

        return plan

    def _latents(self, seed: int, indices: Sequence[int], drawing: Drawing) -> list[Floats]:
        """Draw each sample's latents, (N, dim) of each level."""
        latents = draw_latents(self._dims, drawing.deviations, seed, indices, stratified=True)
        return latents if drawing.norm is None else rescale_latents(latents, drawing.norm)

    def _latents_of(self, reference: SmallPhoto) -> list[Floats]:
        """Encode a reference's own colors, given its own lightness, independently of the photo to colorize."""
        (condition,) = self._passes.condition([reference.lightness])
        return self._passes.encode(own_chroma(reference), condition).latents

    def _drawing(self, photo: SmallPhoto, temperature: float | None, norm: float | None) -> Drawing:
        exponents = self._checkpoint.temperature_exponents
        if norm is not None:
            # Grain that hardly cools would use up the norm and leave nothing for the coarsest level.
            as_cold = [max(exponents[0], exponent) for exponent in exponents]
            equal = temperature_of_norm(self._dims, as_cold, norm)
            return Drawing(equal, deviations_at(equal, as_cold), 1.0, norm)
        chosen = self._checkpoint.temperature if temperature is None else temperature
        # The coarsest level applies its temperature in decoding, not to its latents.
        deviations = deviations_at(chosen, exponents, photo.longest)
        return Drawing(chosen, [1.0, *deviations[1:]], chosen, None)

    def _recall(self, seed: int, index: int, drawing: Drawing) -> list[Floats]:
        """Return the latents of an earlier sample, (1, dim) of each level."""
        check_range("index", index, 0, MAX_CANDIDATES - 1)
        return self._latents(seed, [index], drawing)


def own_chroma(photo: SmallPhoto) -> Floats:
    """Return a photo's own a*b*, (1, 2, 64, 64). Raises InputError for a photo shrunk without them."""
    if photo.chroma is None:
        raise InputError("photo", "one shrunk with its chroma", "its lightness alone")
    return np.ascontiguousarray(photo.chroma.transpose(2, 0, 1)[None])


def _cells(chroma: Floats) -> Floats:
    """Average (2, h, w) a*b* over the coarsest cells: (2, 8, 8)."""
    height, width = chroma.shape[1] // SIDE, chroma.shape[2] // SIDE
    return np.asarray(chroma.reshape(2, SIDE, height, SIDE, width).mean((2, 4)), np.float32)


def _other_seeds(seed: int) -> list[int]:
    """Return seeds of other latents, such as further tries, far from seeds that users count through."""
    return [(seed + i * (MAX_SEED // TRIES)) % (MAX_SEED + 1) for i in range(1, TRIES)]


def _between(a: float, b: float, t: float) -> float:
    return (1 - t) * a + t * b


def _draws(latents: Sequence[Floats], indices: Sequence[int], drawing: Drawing) -> Draws:
    decoding = np.full(len(latents[0]), drawing.decoding, np.float32)
    return Draws(latents, indices, drawing.temperature, decoding)

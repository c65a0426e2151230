"""Plans: how the samples that a task asks for are drawn.

A plan draws the coarsest level of its samples; the finer levels of several plans then share passes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from model.drawing.hints import check_hints, given_cells, hints_inside
from model.drawing.latents import (
    deviations_at,
    draw_again,
    draw_latents,
    interpolate_latents,
    mix_latents,
    rescale_latents,
    temperature_of_norm,
)
from model.drawing.passes import Passes
from model.drawing.runtimes.runtime import Condition, Floats
from model.errors import InputError
from model.flow.checkpoint import Checkpoint, StoredCheckpoint
from model.options import MAX_CANDIDATES, MAX_SAMPLES, TRANSFER_WEIGHTS, check_range, check_together
from model.protocol import (
    DrawTask,
    Hint,
    InterpolationOptions,
    LatentName,
    SampleOptions,
    SmallPhoto,
    TransferOptions,
    VariationOptions,
)
from model.selection import BLOCK, select_convincing, select_diverse, select_likely

__all__ = ["Chosen", "Draws", "Planner", "own_chroma"]


class Chosen(NamedTuple):
    """Draws to complete by the finer levels, and the facts that the answer states."""

    coarsest: Floats
    """(N, 2, 8, 8) a*b*"""
    fine: Sequence[Floats]
    """(N, dim) of each finer level"""
    indices: Sequence[int]
    temperature: float
    hints: tuple[Hint, ...] = ()
    hints_inside: Sequence[Hint] = ()
    """the same without those on the photo's frame, with their points inside of it"""
    ranked: bool = False
    """the likeliest first"""


class Drawing(NamedTuple):
    """How the latents of one task are drawn and decoded."""

    temperature: float
    deviations: Sequence[float]
    """standard deviation of each level's latents"""
    decoding: float
    """the temperature of the coarsest level's mixtures"""
    norm: float | None
    given: Floats | None = None
    """(2, 8, 8) a*b* of hinted cells, NaN elsewhere"""


class Draws(NamedTuple):
    """Draws of the coarsest level that a task asks for."""

    latents: Floats
    """(N, 128)"""
    decoding: Floats
    """(N,): the temperatures of the level's mixtures"""
    choose: Callable[[Condition, Floats], Chosen]
    """Takes the photo's condition and the draws, (N, 2, 8, 8) a*b*."""
    given: Floats | None = None
    """(N, 2, 8, 8) a*b* of hinted cells, NaN elsewhere"""


class Series(NamedTuple):
    """Latents of consecutive samples of a seed, and all draws that each is chosen from."""

    numbers: range
    before: int
    """samples of the draws that come before these, on which their choice depends"""
    coarsest: Floats
    """(N·tries, 128) of these and those before"""
    fine: Sequence[Floats]
    """(N, dim) of each finer level"""

    def mixed(self, origin: Sequence[Floats], weights: Sequence[float]) -> "Series":
        """Take so much of each level from an origin, (1, dim) of each; see `mix_latents`."""
        (coarsest,) = mix_latents(origin[:1], [self.coarsest], weights[:1])
        return self._replace(coarsest=coarsest, fine=mix_latents(origin[1:], self.fine, weights[1:]))

    def rescaled(self, norm: float) -> "Series":
        """Rescale every sample, if each has one draw; see `rescale_latents`."""
        coarsest, *fine = rescale_latents([self.coarsest, *self.fine], norm)
        return self._replace(coarsest=coarsest, fine=fine)


Plan = Callable[[Condition], Draws]
"""Takes the photo's condition. It encodes a reference and recalls earlier samples: all tasks are checked before the
network runs for any."""
Recall = Callable[[Condition], list[list[Floats]]]
"""Takes the photo's condition, and returns the latents of each earlier sample, (1, dim) of each level."""

TRIES = 4
"""Draws of each sample from which the judge chooses, where the network has one and the temperature is below 1."""


class Planner:
    """Checks all that a task's options name before the network runs for it."""

    def __init__(self, checkpoint: Checkpoint | StoredCheckpoint, passes: Passes) -> None:
        self._checkpoint = checkpoint
        self._passes = passes
        self._sizes: list[int] = passes.numbers.sizes.tolist()
        self._dims: list[int] = passes.numbers.dims.tolist()

    def plan(self, task: DrawTask) -> Plan:
        """Raise InputError for an option out of range, else return what is left to do."""
        options = task.options
        check_together(options, task.reference is not None)
        if isinstance(options, SampleOptions):
            return self._samples(task.photo, options)
        if isinstance(options, VariationOptions):
            return self._variations(options)
        if isinstance(options, TransferOptions):
            return self._transfer(task.reference, options)
        return self._interpolation(task.reference, options)

    def _samples(self, photo: SmallPhoto, options: SampleOptions) -> Plan:
        drawing = self._drawing(options.temperature, options.latent_norm)
        check_hints(options.hints)
        inside = hints_inside(options.hints, photo.frame)
        if inside:
            drawing = drawing._replace(given=given_cells(photo.lightness, inside))
        many = options.n if options.select == "first" else options.latents
        series = self._series(options.seed, _numbers(options.offset, many), drawing)

        def choose(condition: Condition, draws: Floats) -> Chosen:
            coarsest = draws[self._taken(condition, draws, series)]
            indices = self._select(condition, coarsest, series.fine, options)
            return Chosen(
                coarsest[indices],
                [z[indices] for z in series.fine],
                [series.numbers[i] for i in indices],
                drawing.temperature,
                options.hints,
                inside,
                options.rank == "likelihood",
            )

        return lambda _: _draws(series.coarsest, drawing, choose)

    def _select(
        self, condition: Condition, coarsest: Floats, fine: Sequence[Floats], options: SampleOptions
    ) -> list[int]:
        if len(coarsest) == options.n:
            return list(range(options.n))
        if options.select == "likely":
            (decoded,) = self._passes.add_details([condition], [coarsest], [fine])
            return select_likely(decoded.bits_per_dim, options.n)
        return select_diverse(coarsest, options.n)  # finer levels change colors little

    def _variations(self, options: VariationOptions) -> Plan:
        check_range("strength", options.strength, 0, 1)
        moved = self._sizes if options.levels is None else options.levels
        if not set(moved) <= set(self._sizes):
            raise InputError("levels", f"sizes among {self._sizes}", moved)
        drawing = self._drawing(options.temperature, options.latent_norm)
        recall = self._recall([options.origin], drawing)
        kept = (1 - options.strength**2) ** 0.5
        weights = [kept if size in moved else 1.0 for size in self._sizes]
        noise = self._series(options.noise_seed, _numbers(options.offset, options.n), drawing, alike=weights[0] == 1)

        def plan(condition: Condition) -> Draws:
            (origin,) = recall(condition)
            series = noise.mixed(origin, weights)
            if options.latent_norm is not None and options.strength > 0:  # at 0, not even rounding may change a latent
                series = series.rescaled(options.latent_norm)
            return self._draw_series(series, drawing)

        return plan

    def _transfer(self, reference: SmallPhoto | None, options: TransferOptions) -> Plan:
        if reference is None:
            raise InputError("reference", "a photo", None)
        drawing = self._drawing(options.temperature, None)
        weights = options.weights
        if weights is None:
            weights = tuple(TRANSFER_WEIGHTS.get(size, 0.0) for size in self._sizes)
        if any(weights[:1]):  # a photo's own latents are those of temperature 1
            drawing = drawing._replace(decoding=1.0)
        noise = self._series(options.seed, _numbers(options.offset, options.n), drawing)
        noise.mixed([z[:1] for z in (noise.coarsest, *noise.fine)], weights)  # raises for weights out of range

        def plan(_: Condition) -> Draws:
            return self._draw_series(noise.mixed(self._latents_of(reference), weights), drawing)

        return plan

    def _interpolation(self, reference: SmallPhoto | None, options: InterpolationOptions) -> Plan:
        check_range("steps", options.steps, 2, MAX_SAMPLES)
        drawing = self._drawing(options.temperature, options.latent_norm)
        recall = self._recall([name for name in (options.start, options.end) if name], drawing)
        last = drawing.decoding if reference is None else 1.0
        positions = np.linspace(0, 1, options.steps).tolist()

        def plan(condition: Condition) -> Draws:
            start, *ends = recall(condition)
            end = ends[0] if reference is None else self._latents_of(reference)
            latents = interpolate_latents(start, end, positions, options.path == "spherical")
            decoding = np.array([(1 - t) * drawing.decoding + t * last for t in positions], np.float32)
            series = Series(range(options.steps), 0, latents[0], latents[1:])
            return self._draw_series(series, drawing)._replace(decoding=decoding)

        return plan

    def _latents(self, seed: int, indices: Sequence[int], drawing: Drawing) -> list[Floats]:
        """Draw each sample's latents, (N, dim) of each level."""
        latents = draw_latents(self._dims, drawing.deviations, seed, indices, stratified=True)
        return latents if drawing.norm is None else rescale_latents(latents, drawing.norm)

    def _latents_of(self, reference: SmallPhoto) -> list[Floats]:
        """Encode a reference's own colors, given its own lightness, whatever photo the latents are for."""
        (condition,) = self._passes.condition([reference.lightness])
        return self._passes.encode(own_chroma(reference), condition).latents

    def _drawing(self, temperature: float | None, norm: float | None) -> Drawing:
        exponents = self._checkpoint.temperature_exponents
        if norm is not None:
            equal = temperature_of_norm(self._dims, exponents, norm)
            return Drawing(equal, deviations_at(equal, exponents), 1.0, norm)
        chosen = self._checkpoint.temperature if temperature is None else temperature
        # The coarsest level is tempered where it is decoded, not in its latents.
        return Drawing(chosen, [1.0, *deviations_at(chosen, exponents)[1:]], chosen, None)

    def _recall(self, names: Sequence[LatentName], drawing: Drawing) -> Recall:
        for name in names:
            check_range("index", name.index, 0, MAX_CANDIDATES - 1)

        def one(name: LatentName, condition: Condition) -> list[Floats]:
            series = self._series(name.seed, _numbers(name.index, 1), drawing)
            taken = 0
            if len(series.coarsest) > 1:
                warmth = np.full(len(series.coarsest), drawing.decoding, np.float32)
                (draws,) = self._passes.draw_coarsest([condition], [series.coarsest], [warmth], [None])
                (taken,) = self._taken(condition, draws, series)
            return [series.coarsest[taken : taken + 1], *series.fine]

        return lambda condition: [one(name, condition) for name in names]

    def _series(self, seed: int, numbers: range, drawing: Drawing, alike: bool = False) -> Series:
        """Draw samples' latents. alike: whether all draws of a sample would be the same."""
        if alike or not self._passes.numbers.judged or drawing.norm is not None or not 0 < drawing.decoding < 1:
            coarsest, *fine = self._latents(seed, numbers, drawing)
            return Series(numbers, 0, coarsest, fine)
        before = numbers.start % BLOCK
        drawn = range(numbers.start - before, numbers.stop)
        first, *fine = self._latents(seed, drawn, drawing)
        others = draw_again(first.shape[1], seed, drawn, TRIES - 1)
        coarsest = np.concatenate((first[:, None], others), 1).reshape(-1, first.shape[1])
        return Series(numbers, before, coarsest, [z[before:] for z in fine])

    def _taken(self, condition: Condition, draws: Floats, series: Series) -> list[int]:
        """Return which draw each sample takes. draws: (N·tries, 2, 8, 8) a*b*."""
        tries = len(draws) // (series.before + len(series.numbers))
        if tries == 1:
            return list(range(len(draws)))
        return select_convincing(draws, self._passes.rate_coarsest(condition, draws), tries)[series.before :]

    def _draw_series(self, series: Series, drawing: Drawing) -> Draws:
        """Return draws of samples that are all kept."""

        def choose(condition: Condition, draws: Floats) -> Chosen:
            taken = self._taken(condition, draws, series)
            return Chosen(draws[taken], series.fine, series.numbers, drawing.temperature)

        return _draws(series.coarsest, drawing, choose)


def own_chroma(photo: SmallPhoto) -> Floats:
    """Return a photo's own a*b*, (1, 2, 64, 64). Raises InputError if they were not asked for."""
    if photo.chroma is None:
        raise InputError("photo", "one shrunk with its chroma", "its lightness alone")
    return np.ascontiguousarray(photo.chroma.transpose(2, 0, 1)[None])


def _numbers(offset: int, n: int) -> range:
    return range(offset, offset + n)


def _draws(latents: Floats, drawing: Drawing, choose: Callable[[Condition, Floats], Chosen]) -> Draws:
    given, many = drawing.given, len(latents)
    if given is not None:
        given = np.broadcast_to(given, (many, *given.shape))
    return Draws(latents, np.full(many, drawing.decoding, np.float32), choose, given)

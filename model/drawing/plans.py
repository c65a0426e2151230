"""Plans: how the samples that a task asks for are drawn.

A plan draws the coarsest level of its samples; the finer levels of several plans then share passes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.drawing.hints import check_hints, given_cells
from model.drawing.latents import (
    deviations_at,
    draw_latents,
    interpolate_latents,
    mix_latents,
    rescale_latents,
    temperature_of_norm,
)
from model.drawing.passes import Passes
from model.drawing.runtimes.runtime import Condition
from model.drawing.selection import select_diverse, select_likely
from model.errors import InputError
from model.flow.checkpoint import Checkpoint
from model.options import MAX_CANDIDATES, MAX_SAMPLES
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

__all__ = ["Chosen", "Planner", "own_chroma"]

COPIED_SIZE = 16
"""Latents of the levels up to this size are copied from a reference, where no weights are given."""


class Chosen(NamedTuple):
    """Draws to complete by the finer levels, and the facts that the answer states."""

    coarsest: Tensor
    """(N, 2, 8, 8) a*b*, on the CPU"""
    fine: list[Tensor]
    """(N, dim) of each finer level, on the CPU"""
    indices: Sequence[int]
    temperature: float
    hints: tuple[Hint, ...] = ()
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
    given: Tensor | None = None
    """(2, 8, 8) a*b* of hinted cells, NaN elsewhere"""


class Latents(NamedTuple):
    """Latents of N samples, and the temperature at which the coarsest level decodes them."""

    levels: list[Tensor]
    """(N, dim) of each level, coarse to fine, on the CPU"""
    decoding: Tensor
    """(N,)"""


Plan = Callable[[Condition], Chosen]
"""The rest of the work, once the photo's condition is known."""


class Planner:
    """Checks all that a task's options name before the network runs for it."""

    def __init__(self, checkpoint: Checkpoint, passes: Passes) -> None:
        self._checkpoint = checkpoint
        self._passes = passes
        self._sizes = list(checkpoint.cinn.config.sizes)
        self._dims = checkpoint.cinn.dims

    def plan(self, task: DrawTask) -> Plan:
        """Raise InputError for an option out of range, else return what is left to do."""
        options = task.options
        if isinstance(options, SampleOptions):
            return self._samples(task.photo, options)
        if isinstance(options, VariationOptions):
            return self._variations(options)
        if isinstance(options, TransferOptions):
            return self._transfer(task.reference, options)
        return self._interpolation(task.reference, options)

    def _samples(self, photo: SmallPhoto, options: SampleOptions) -> Plan:
        candidates = options.n if options.candidates is None else options.candidates
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("candidates", candidates, options.n, MAX_CANDIDATES)
        _check("offset", options.offset, 0, MAX_CANDIDATES - candidates)
        drawing = self._drawing(options.temperature, options.latent_norm)
        if options.hints:
            check_hints(options.hints)
            drawing = drawing._replace(given=given_cells(photo.lightness, options.hints))
        many = options.n if options.select == "first" else candidates
        numbers = _numbers(options.offset, many)
        first, *fine = self._latents(options.seed, numbers, drawing)
        given = None if drawing.given is None else drawing.given.expand(many, -1, -1, -1)
        decoding = torch.full((many,), drawing.decoding)

        def choose(condition: Condition) -> Chosen:
            (coarsest,) = self._passes.draw_coarsest([condition], [first], [decoding], [given])
            indices = self._select(condition, coarsest, fine, options)
            return Chosen(
                coarsest[indices],
                [z[indices] for z in fine],
                [numbers[i] for i in indices],
                drawing.temperature,
                options.hints,
                options.rank == "likelihood",
            )

        return choose

    def _select(
        self, condition: Condition, coarsest: Tensor, fine: Sequence[Tensor], options: SampleOptions
    ) -> list[int]:
        if len(coarsest) == options.n:
            return list(range(options.n))
        if options.select == "likely":
            (decoded,) = self._passes.add_details([condition], [coarsest], [fine])
            return select_likely(decoded.bits_per_dim, options.n)
        return select_diverse(coarsest.numpy(), options.n)  # finer levels change colors little

    def _variations(self, options: VariationOptions) -> Plan:
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("strength", options.strength, 0, 1)
        _check("offset", options.offset, 0, MAX_CANDIDATES - options.n)
        moved = self._sizes if options.levels is None else options.levels
        if not set(moved) <= set(self._sizes):
            raise InputError("levels", f"sizes among {self._sizes}", moved)
        drawing = self._drawing(options.temperature, options.latent_norm)
        numbers = _numbers(options.offset, options.n)
        origin = self._recall(options.origin, drawing)
        noise = self._latents(options.noise_seed, numbers, drawing)
        kept = (1 - options.strength**2) ** 0.5
        latents = mix_latents(origin, noise, [kept if size in moved else 1.0 for size in self._sizes])
        if options.latent_norm is not None and options.strength > 0:  # at 0, not even rounding may change a latent
            latents = rescale_latents(latents, options.latent_norm)
        return lambda condition: self._decode(condition, _at(latents, drawing.decoding), numbers, drawing)

    def _transfer(self, reference: SmallPhoto | None, options: TransferOptions) -> Plan:
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("offset", options.offset, 0, MAX_CANDIDATES - options.n)
        if reference is None:
            raise InputError("reference", "a photo", None)
        drawing = self._drawing(options.temperature, None)
        weights = options.weights
        if weights is None:
            weights = tuple(float(size <= COPIED_SIZE) for size in self._sizes)
        numbers = _numbers(options.offset, options.n)
        noise = self._latents(options.seed, numbers, drawing)
        mix_latents(noise, noise, weights)  # raises for weights out of range
        # A photo's own latents are those of temperature 1.
        decoding = 1.0 if weights[0] > 0 else drawing.decoding

        def choose(condition: Condition) -> Chosen:
            latents = mix_latents(self._latents_of(reference), noise, weights)
            return self._decode(condition, _at(latents, decoding), numbers, drawing)

        return choose

    def _interpolation(self, reference: SmallPhoto | None, options: InterpolationOptions) -> Plan:
        _check("steps", options.steps, 2, MAX_SAMPLES)
        drawing = self._drawing(options.temperature, options.latent_norm)
        if (options.end is None) == (reference is None):
            raise InputError("reference", "exactly one of to_index and reference", "both or neither")
        start = self._recall(options.start, drawing)
        named = [] if options.end is None else self._recall(options.end, drawing)
        positions = np.linspace(0, 1, options.steps).tolist()

        def choose(condition: Condition) -> Chosen:
            end, last = (named, drawing.decoding) if reference is None else (self._latents_of(reference), 1.0)
            latents = interpolate_latents(start, end, positions, options.path == "spherical")
            decoding = torch.lerp(torch.tensor(drawing.decoding), torch.tensor(last), torch.tensor(positions))
            return self._decode(condition, Latents(latents, decoding), range(options.steps), drawing)

        return choose

    def _decode(self, condition: Condition, latents: Latents, numbers: Sequence[int], drawing: Drawing) -> Chosen:
        (coarsest,) = self._passes.draw_coarsest([condition], [latents.levels[0]], [latents.decoding], [None])
        return Chosen(coarsest, latents.levels[1:], numbers, drawing.temperature)

    def _latents(self, seed: int, indices: Sequence[int], drawing: Drawing) -> list[Tensor]:
        """Draw each sample's latents."""
        latents = draw_latents(self._dims, drawing.deviations, seed, indices)
        return latents if drawing.norm is None else rescale_latents(latents, drawing.norm)

    def _latents_of(self, reference: SmallPhoto) -> list[Tensor]:
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

    def _recall(self, name: LatentName, drawing: Drawing) -> list[Tensor]:
        """Return the latents of an earlier sample."""
        _check("index", name.index, 0, MAX_CANDIDATES - 1)
        return self._latents(name.seed, [name.index], drawing)


def own_chroma(photo: SmallPhoto) -> NDArray[np.float32]:
    """Return a photo's own a*b*, (1, 2, 64, 64). Raises InputError if they were not asked for."""
    if photo.chroma is None:
        raise InputError("photo", "one shrunk with its chroma", "its lightness alone")
    return np.ascontiguousarray(photo.chroma.transpose(2, 0, 1)[None])


def _at(latents: list[Tensor], temperature: float) -> Latents:
    return Latents(latents, torch.full((len(latents[0]),), temperature))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise InputError(name, f"{low} to {high}", value)


def _numbers(offset: int, n: int) -> range:
    return range(offset, offset + n)

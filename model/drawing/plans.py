"""From what a task asks for to the latents that are decoded for it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.drawing.hints import follow_hints
from model.drawing.latents import (
    draw_latents,
    interpolate_latents,
    mix_latents,
    rescale_latents,
    temperature_of_norm,
)
from model.drawing.passes import Condition, Passes
from model.drawing.selection import select_diverse, select_likely
from model.errors import InputError
from model.flow.checkpoint import Checkpoint
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

__all__ = ["MAX_CANDIDATES", "Chosen", "Planner", "own_chroma"]

MAX_CANDIDATES = 64
MAX_STEPS = 16
COARSE_SIZE = 8
"""Diverse candidates are told apart by their a*b* at this size: finer levels change colours little and cost most."""
COPIED_SIZE = 16
"""Latents of the levels up to this size are copied from a reference, where no weights are given."""


class Chosen(NamedTuple):
    """What to decode, and what the answer says of it."""

    latents: list[Tensor]
    """(N, dim) of each level, on the CPU"""
    indices: Sequence[int]
    temperature: float
    hints: tuple[Hint, ...] = ()
    ranked: bool = False
    """the likeliest first"""


Plan = Callable[[Condition], Chosen]
"""What is left to do once the photo's condition is known."""


class Planner:
    """Checks and draws all that a task's options name before the network runs for it."""

    def __init__(self, checkpoint: Checkpoint, passes: Passes) -> None:
        self._checkpoint = checkpoint
        self._passes = passes
        self._sizes = [level.size for level in checkpoint.cinn.config.levels]
        self._dims = checkpoint.cinn.dims

    def plan(self, task: DrawTask) -> Plan:
        """Raise InputError for an option out of range, else draw what needs no network."""
        options = task.options
        if isinstance(options, SampleOptions):
            return self._samples(task.photo, options)
        if isinstance(options, VariationOptions):
            chosen = self._variations(options)
            return lambda condition: chosen
        if isinstance(options, TransferOptions):
            return self._transfer(task.reference, options)
        return self._interpolation(task.reference, options)

    def draw(self, options: SampleOptions, temperature: float) -> list[Tensor]:
        """Draw the latents that the options name, every candidate's, (N, dim) of each level."""
        many = options.n if options.candidates is None or options.select == "first" else options.candidates
        return self._draw(options.seed, _numbers(options.offset, many), temperature, options.latent_norm)

    def _samples(self, photo: SmallPhoto, options: SampleOptions) -> Plan:
        candidates = options.n if options.candidates is None else options.candidates
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("candidates", candidates, options.n, MAX_CANDIDATES)
        _check("offset", options.offset, 0, MAX_CANDIDATES - candidates)
        temperature = self._temperature(options.temperature, options.latent_norm)
        drawn = self.draw(options, temperature)

        def choose(condition: Condition) -> Chosen:
            indices = self._select(condition, drawn, options)
            latents = [z[indices] for z in drawn]
            if options.hints:
                small = torch.from_numpy(photo.lightness).to(self._passes.device)
                latents = follow_hints(self._passes.cinn, condition, latents, small, options.hints)
            numbers = [options.offset + i for i in indices]
            return Chosen(latents, numbers, temperature, options.hints, options.rank == "likelihood")

        return choose

    def _select(self, condition: Condition, latents: list[Tensor], options: SampleOptions) -> list[int]:
        if len(latents[0]) == options.n:
            return list(range(options.n))
        if options.select == "likely":
            ((_, bits_per_dim),) = self._passes.sample([condition], [latents])
            return select_likely(bits_per_dim, options.n)
        coarse = [z for z, size in zip(latents, self._sizes, strict=True) if size <= COARSE_SIZE]
        # none of these is shown
        chroma = self._passes.cinn.sample(condition, [z.to(self._passes.device) for z in coarse]).chroma
        return select_diverse(chroma.float().cpu().numpy(), options.n)

    def _variations(self, options: VariationOptions) -> Chosen:
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("strength", options.strength, 0, 1)
        _check("offset", options.offset, 0, MAX_CANDIDATES - options.n)
        moved = self._sizes if options.levels is None else options.levels
        if not set(moved) <= set(self._sizes):
            raise InputError("levels", f"sizes among {self._sizes}", moved)
        temperature = self._temperature(options.temperature, options.latent_norm)
        origin = self._recall(options.origin, temperature, options.latent_norm)
        numbers = _numbers(options.offset, options.n)
        noise = self._draw(options.noise_seed, numbers, temperature, options.latent_norm)
        kept = (1 - options.strength**2) ** 0.5
        latents = mix_latents(origin, noise, [kept if size in moved else 1.0 for size in self._sizes])
        if options.latent_norm is not None and options.strength > 0:  # at 0, not even rounding may change a latent
            latents = rescale_latents(latents, options.latent_norm)
        return Chosen(latents, numbers, temperature)

    def _transfer(self, reference: SmallPhoto | None, options: TransferOptions) -> Plan:
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("offset", options.offset, 0, MAX_CANDIDATES - options.n)
        if reference is None:
            raise InputError("reference", "a photo", None)
        temperature = self._temperature(options.temperature, None)
        weights = options.weights
        if weights is None:
            weights = tuple(float(size <= COPIED_SIZE) for size in self._sizes)
        numbers = _numbers(options.offset, options.n)
        noise = self._draw(options.seed, numbers, temperature, None)
        return lambda condition: Chosen(mix_latents(self._latents_of(reference), noise, weights), numbers, temperature)

    def _interpolation(self, reference: SmallPhoto | None, options: InterpolationOptions) -> Plan:
        _check("steps", options.steps, 2, MAX_STEPS)
        temperature = self._temperature(options.temperature, options.latent_norm)
        start = self._recall(options.start, temperature, options.latent_norm)
        if options.end is not None and reference is None:
            end = partial(self._recall, options.end, temperature, options.latent_norm)
        elif options.end is None and reference is not None:
            end = partial(self._latents_of, reference)
        else:
            raise InputError("reference", "an index of the end or a reference, not both", "both or neither")
        positions = np.linspace(0, 1, options.steps).tolist()

        def choose(condition: Condition) -> Chosen:
            latents = interpolate_latents(start, end(), positions, options.path == "spherical")
            return Chosen(latents, range(options.steps), temperature)

        return choose

    def _latents_of(self, reference: SmallPhoto) -> list[Tensor]:
        (condition,) = self._passes.condition([reference.lightness])
        return self._passes.encode(own_chroma(reference), condition).latents

    def _temperature(self, given: float | None, norm: float | None) -> float:
        if norm is not None:
            return temperature_of_norm(self._dims, self._checkpoint.temperature_exponents, norm)
        return self._checkpoint.temperature if given is None else given

    def _draw(self, seed: int, indices: Sequence[int], temperature: float, norm: float | None) -> list[Tensor]:
        latents = draw_latents(self._dims, self._checkpoint.temperature_exponents, seed, indices, temperature)
        return latents if norm is None else rescale_latents(latents, norm)

    def _recall(self, name: LatentName, temperature: float, norm: float | None) -> list[Tensor]:
        _check("index", name.index, 0, MAX_CANDIDATES - 1)
        return self._draw(name.seed, [name.index], temperature, norm)


def own_chroma(photo: SmallPhoto) -> NDArray[np.float32]:
    """Return a photo's own a*b*. Raises InputError if they were not asked for."""
    if photo.chroma is None:
        raise InputError("photo", "its chroma too", "its lightness alone")
    return photo.chroma


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise InputError(name, f"{low} to {high}", value)


def _numbers(offset: int, n: int) -> range:
    return range(offset, offset + n)

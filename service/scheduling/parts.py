"""Parts of a task: where others wait, a request is drawn a few samples at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from model.options import MAX_CANDIDATES
from model.protocol import Drawn, DrawTask, InterpolationOptions, Options, SampleOptions

__all__ = ["is_divisible", "join", "part_of"]


def is_divisible(options: Options) -> bool:
    """Say whether samples may be drawn apart: not interpolations, nor choices among more candidates."""
    if isinstance(options, InterpolationOptions):
        return False
    candidates = options.n
    if isinstance(options, SampleOptions) and options.candidates is not None:
        candidates = options.candidates
        if candidates != options.n and options.select != "first":
            return False
    return options.offset + candidates <= MAX_CANDIDATES  # the model refuses more, for all samples at once


def part_of(task: DrawTask, start: int, count: int) -> DrawTask:
    """Return the task to draw samples start … start + count − 1 of a divisible task."""
    if isinstance(task.options, InterpolationOptions):
        raise TypeError("interpolations are drawn at once")
    changes: dict[str, Any] = {"n": count, "offset": task.options.offset + start}
    if isinstance(task.options, SampleOptions):
        changes["candidates"] = None
    return replace(task, options=replace(task.options, **changes))


def join(parts: Sequence[Drawn], options: Options) -> Drawn:
    """Return what drawing all samples at once would have returned; stages take as long as in all parts together."""
    bits_per_dim = [bits for part in parts for bits in part.bits_per_dim]
    order = np.arange(len(bits_per_dim))
    if isinstance(options, SampleOptions) and options.rank == "likelihood":
        order = np.argsort(bits_per_dim, kind="stable")
    indices = [index for part in parts for index in part.indices]
    norms = [norm for part in parts for norm in part.latent_norms]
    return replace(
        parts[0],
        chroma=np.concatenate([part.chroma for part in parts])[order],
        indices=tuple(indices[i] for i in order),
        bits_per_dim=tuple(bits_per_dim[i] for i in order),
        latent_norms=tuple(norms[i] for i in order),
        timings={stage: sum(part.timings[stage] for part in parts) for stage in parts[0].timings},
    )

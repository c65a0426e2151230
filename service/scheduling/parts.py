"""Parts of a task: while others wait, a request is drawn a few samples at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from model.options import InterpolationOptions, Options, SampleOptions, TransferOptions, VariationOptions
from model.protocol import Drawn, DrawTask
from model.selection import select_diverse, select_likely

__all__ = ["HINT_COST", "TRANSFER_COST", "cost_of", "join", "part_of", "samples_in_parts"]

HINT_COST = 2
"""Cost of a sample with hints, in plain ones: measured on a CPU as 1.7, with other colors at points as 2.0 to 2.1."""
TRANSFER_COST = 3
"""Cost of a sample with a reference's colors, drawn several times: measured as 2.2 for one sample, 3.0 for four."""


def samples_in_parts(options: Options) -> int:
    """Return the number of samples in all parts of a task together: for a choice, all candidates."""
    is_choice = isinstance(options, SampleOptions) and options.select != "first"
    return options.latents if is_choice else options.samples


def cost_of(options: Options) -> int:
    """Return the cost of drawing in parts, in samples without hints. The caller does not know whether others wait.

    In parts, a choice costs a whole sample for each candidate, with hints if the candidates follow hints.
    """
    each = TRANSFER_COST if isinstance(options, TransferOptions) else 1
    points = options.hints or (isinstance(options, VariationOptions) and options.at)
    return samples_in_parts(options) * each * (HINT_COST if points else 1)


def part_of(task: DrawTask, start: int, count: int) -> DrawTask:
    """Return the task that draws samples start … start + count − 1, in drawn order. Not for interpolations."""
    if isinstance(task.options, InterpolationOptions):
        raise TypeError("interpolations are drawn at once")
    changes: dict[str, Any] = {"n": count, "offset": task.options.offset + start}
    if isinstance(task.options, SampleOptions):
        changes |= {"candidates": None, "select": "first", "rank": "none"}
    return replace(task, options=replace(task.options, **changes))


def join(parts: Sequence[Drawn], options: Options) -> Drawn:
    """Join the results of all parts into that of drawing all samples at once; seconds of stages are added up."""
    joined = replace(
        parts[0],
        chroma=np.concatenate([part.chroma for part in parts]),
        indices=tuple(index for part in parts for index in part.indices),
        bits_per_dim=tuple(bits for part in parts for bits in part.bits_per_dim),
        latent_norms=tuple(norm for part in parts for norm in part.latent_norms),
        timings={stage: sum(part.timings[stage] for part in parts) for stage in parts[0].timings},
        coarsest=np.concatenate([part.coarsest for part in parts]),
        bits_before_hints=tuple(bits for part in parts for bits in part.bits_before_hints),
        colors=tuple(colors for part in parts for colors in part.colors),
    )
    if not isinstance(options, SampleOptions):
        return joined
    if options.select == "likely":
        joined = _rows(joined, select_likely(joined.bits_before_hints, options.n))
    elif options.select == "diverse":
        joined = _rows(joined, select_diverse(joined.coarsest, options.n))
    if options.rank == "likelihood":
        joined = _rows(joined, np.argsort(joined.bits_per_dim, kind="stable").tolist())
    return joined


def _rows(drawn: Drawn, rows: Sequence[int]) -> Drawn:
    """Return some of the samples, in this order."""
    return replace(
        drawn,
        chroma=drawn.chroma[rows],
        indices=tuple(drawn.indices[i] for i in rows),
        bits_per_dim=tuple(drawn.bits_per_dim[i] for i in rows),
        latent_norms=tuple(drawn.latent_norms[i] for i in rows),
        coarsest=drawn.coarsest[rows],
        bits_before_hints=tuple(drawn.bits_before_hints[i] for i in rows),
        colors=tuple(drawn.colors[i] for i in rows),
    )

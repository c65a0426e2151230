"""Stepwise draws of the coarsest level's cells on OpenVINO: one compiled step for all rows, caches updated in place."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.drawing.runtimes.numbers import ORDER, Numbers
from model.drawing.runtimes.runtime import Floats, Given, Indices
from model.flow.cell_order import CALM_TEMPERATURE, DISTILLED_TEMPERATURE, HIDDEN, cell_exponents
from model.flow.mixture_arrays import draw_outputs, log_prob_of_outputs
from model.flow.sizes import CELLS

__all__ = ["Stepper", "draw_alike"]

EXPONENTS = cell_exponents()


class Stepper:
    """Draws of one thread at a time."""

    def __init__(self, numbers: Numbers, model: Callable[[str], Any]) -> None:
        """model: returns the compiled `step_graph` of `level` or `distilled`; called when a draw first needs it."""
        self._numbers = numbers
        self._model = model

    @cached_property
    def level(self) -> "_Stream":
        return _Stream(self._numbers.start, self._model("level"))

    @cached_property
    def distilled(self) -> "_Stream":
        return _Stream(self._numbers.distilled_start, self._model("distilled"))

    def draw(
        self, upcoming: Floats, past: Floats, photo: Indices, z: Floats, temperature: Floats, given: Given
    ) -> Floats:
        """Mirror `AutoregressiveLevel.draw`, but return (N, 64, 2) a*b*, row by row, standardized for the level.

        upcoming, past: from `condition_graph`, (P, 64, width). photo: (N,), index of each row's photo. given: with
        standardized cells.
        """
        drawing, free = _draw_order(self._numbers, z, temperature, given.cells), None
        if (np.isfinite(given.cells).any((1, 2, 3)) & (given.tolerance > 0)).any():
            unknown = _draw_order(self._numbers, z, temperature, np.full_like(given.cells, np.nan))
            cells, outputs = self._draw(unknown, upcoming, past, photo)
            log_prob = log_prob_of_outputs(outputs.reshape(-1, outputs.shape[-1]), cells.reshape(-1, 2))
            free = _Free(cells, log_prob.reshape(CELLS, -1), given.tolerance)
        cells, _ = self._draw(drawing, upcoming, past, photo, free)
        by_row = np.argsort(drawing.order, axis=1).T[..., None]
        return np.take_along_axis(cells, by_row, 0).transpose(1, 0, 2)

    def _draw(
        self, drawing: "_DrawOrder", upcoming: Floats, past: Floats, photo: Indices, free: "_Free | None" = None
    ) -> tuple[Floats, Floats]:
        """Return standardized cells in drawing order, (64, N, 2), and the parameters of their mixtures."""
        order, known, latents, temperatures, share, ranks = drawing
        kinds = (("level", share > 0), ("distilled", share < 1))
        streams: list[_Stream] = [getattr(self, kind) for kind, draws in kinds if draws.any()]
        for stream in streams:
            stream.begin(upcoming[photo, order.T], past[photo, order.T])
        cells, outputs = np.zeros((CELLS, len(order), 2), np.float32), []
        warmth = np.ascontiguousarray(temperatures.T, np.float64)
        given_cells = np.ascontiguousarray(known.transpose(1, 0, 2), np.float32)
        noise = np.ascontiguousarray(latents.transpose(1, 0, 2), np.float64)
        x = np.zeros((len(order), 2))
        for place in range(CELLS):
            blended = [stream.next(place, x) for stream in streams]
            output = _blend(blended[0], blended[-1], share)
            outputs.append(output.copy())  # a stream writes each over the last
            told = given_cells[place]
            if free is not None:
                told = free.kept(ranks[:, place], output, told)
            cells[place] = x = draw_outputs(output, warmth[place], noise[place], told)
        if not np.isfinite(cells).all():
            for stream in streams:
                stream.forget()
        return cells, np.stack(outputs)


class _DrawOrder(NamedTuple):
    """See `model.flow.autoregressive.DrawOrder`."""

    order: Indices
    known: Floats
    latents: Floats
    temperatures: Floats
    share: Floats
    ranks: Indices


class _Free(NamedTuple):
    """Mirrors `model.flow.autoregressive.Free`, cells first: (64, N, 2) and (64, N)."""

    cells: Floats
    log_prob: NDArray[np.float64]
    tolerance: Floats

    def kept(self, rank: Indices, output: Floats, given: Floats) -> Floats:
        """Return the cell of each row to keep, (N, 2): the given one, or that at the rank, (N,), if its mixture allows.

        NaN where a cell is to be drawn.
        """
        rows = np.arange(len(rank))
        cells = self.cells[rank, rows]
        loss = self.log_prob[rank, rows] - log_prob_of_outputs(output, cells)
        keeps = (loss <= self.tolerance) & (self.tolerance > 0) & np.isnan(given[:, 0])
        return np.where(keeps[:, None], cells, given)


def _draw_order(numbers: Numbers, z: Floats, temperature: Floats, given: Floats) -> _DrawOrder:
    """Mirror `AutoregressiveLevel.draw_order`."""
    known = numbers.cells_in_order(given)
    ranks = np.argsort(~np.isfinite(known).all(-1), axis=1, kind="stable")
    calm, at = np.float32(CALM_TEMPERATURE), np.float32(DISTILLED_TEMPERATURE)
    share = np.maximum((temperature - at) / (1 - at), 1 - temperature / calm)
    colder = np.minimum(temperature / at, 1)[:, None] ** EXPONENTS[ranks]
    return _DrawOrder(
        ORDER[ranks],
        np.take_along_axis(known, ranks[..., None], 1),
        np.take_along_axis(z.reshape(-1, CELLS, 2), ranks[..., None], 1),
        colder * np.maximum(temperature, 1)[:, None],
        np.where(temperature < 1, np.maximum(share, 0), np.float32(1)),
        ranks,
    )


def _blend(own: Floats, distilled: Floats, share: Floats) -> Floats:
    """Mirror `model.flow.autoregressive._blend`."""
    if own is distilled:
        return own
    kept = share[:, None]
    return np.where(kept >= 1, own, np.where(kept <= 0, distilled, distilled + kept * (own - distilled)))


def draw_alike(few: Stepper, many: Stepper) -> bool:
    """Say whether each row's step is bit-identical among many rows and among few. Neither may be in use."""
    draws = np.random.default_rng(0)
    pairs = ((few.level, many.level), (few.distilled, many.distilled))
    return all(one.repeats(other, draws) for one, other in pairs)


class _Stream:
    """Mirrors `CellStream`: the compiled step, with inputs and outputs in memory that it reads and writes in place."""

    def __init__(self, start: Floats, model: Any) -> None:
        self._start = start
        rows, heads, _, head_width = model.input("keys0").shape
        width, blocks = heads * head_width, model.output(1).shape[0]
        dtype = model.input("keys0").element_type
        as_numbers = np.uint16 if dtype == ov.Type.bf16 else np.float32  # numpy has no bfloat16; it only moves these
        self._request = model.create_infer_request()
        self._x, self._rest = np.zeros((rows, 2), np.float32), np.zeros((rows, width), np.float32)
        self._begun, self._mask = np.zeros((1, 1), np.float32), np.zeros(CELLS, np.float32)
        self._caches = np.zeros((2, blocks, rows, heads, CELLS, head_width), as_numbers)
        self._output = np.zeros(tuple(model.output(0).shape), np.float32)
        self._made = np.zeros((blocks, rows, 3, heads, head_width), as_numbers)
        for name in ("x", "rest", "begun", "mask"):
            self._request.set_tensor(name, ov.Tensor(getattr(self, f"_{name}"), shared_memory=True))
        for name, caches in zip(("keys", "values"), self._caches, strict=True):
            for i, cache in enumerate(caches):
                self._request.set_tensor(f"{name}{i}", ov.Tensor(cache, cache.shape, dtype))
        self._request.set_output_tensor(0, ov.Tensor(self._output, shared_memory=True))
        made = self._made.reshape(blocks, rows, 3 * width)
        self._request.set_output_tensor(1, ov.Tensor(made, made.shape, dtype))

    def begin(self, upcoming: Floats, past: Floats) -> None:
        """Begin with (64, N, width), cell by cell, and an empty cache. Overwrites `upcoming`."""
        upcoming[0] += self._start
        upcoming[1:] += past[:-1]
        self._rests = upcoming
        self._mask.fill(HIDDEN)

    def forget(self) -> None:
        """Remove NaN and infinity, since hidden places are multiplied by 0."""
        self._caches.fill(0)

    def repeats(self, larger: "_Stream", draws: np.random.Generator) -> bool:
        """Say whether several calls of this step give the rows of one call of a larger step, for made-up inputs."""
        for array in (larger._x, larger._rest):
            array[:] = draws.standard_normal(array.shape)
        for cache in larger._caches.reshape(-1, *larger._caches.shape[2:]):
            numbers = draws.standard_normal(cache.shape, np.float32)
            cache[:] = numbers.view(np.uint32) >> 16 if cache.dtype == np.uint16 else numbers  # bfloat16 is the half
        larger._begun[:], larger._mask[:] = 1, 0
        larger._request.infer()
        self._begun[:], self._mask[:] = 1, 0
        rows = len(self._x)
        for start in range(0, len(larger._x), rows):
            part = slice(start, start + rows)
            self._x[:], self._rest[:], self._caches[:] = larger._x[part], larger._rest[part], larger._caches[:, :, part]
            self._request.infer()
            if self._output.tobytes() != larger._output[part].tobytes():
                return False
            if self._made.tobytes() != larger._made[:, part].tobytes():
                return False
        return True

    def next(self, place: int, x: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the parameters of a cell's mixtures, given the last cell's a*b*."""
        self._x[:], self._rest[:], self._begun[:] = x, self._rests[place], place > 0
        self._request.infer()
        self._caches[0, :, :, :, place], self._caches[1, :, :, :, place] = self._made[:, :, 1], self._made[:, :, 2]
        self._mask[place] = 0
        return self._output

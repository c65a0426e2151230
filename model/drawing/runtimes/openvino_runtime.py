"""The network on CPUs, compiled by OpenVINO, in bfloat16 where the processor has it.

Draws of the coarsest level, which take most time and do not enter likelihoods, may be in bfloat16. All parts of
likelihoods are in float32: the condition, the mixtures of the drawn a*b*, and the finer levels.
Terms of log-dets are added up in float64.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.device import THREADS
from model.drawing.runtimes import graphs
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.numbers import Numbers
from model.drawing.runtimes.runtime import Condition, Encoded, Floats, Given, Indices, Runtime, Samples
from model.drawing.runtimes.stepping import Stepper, draw_alike
from model.errors import CheckpointError, NonFiniteError
from model.flow.arrays import CinnArrays
from model.flow.checkpoint import Checkpoint
from model.flow.mixture_arrays import begin_drawing, latents_of_outputs
from model.flow.sizes import CELLS

__all__ = ["OpenvinoRuntime"]

NUMBERS = "numbers"
"""Name in the cache of the network's `Numbers`."""
STEP = "step-"
"""Prefix of the names of the coarsest level's step graphs."""

Result = TypeVar("Result")


class OpenvinoRuntime(Runtime):
    """Runs one pass of the network on each thread; see `Runtime`.

    A graph is compiled for the number of rows of its first call, and kept. The weights are read only for graphs that
    the cache lacks.
    """

    concatenate = staticmethod(np.concatenate)

    def __init__(self, checkpoint: Checkpoint, bfloat16: bool | None = None, cache: GraphCache | None = None) -> None:
        """bfloat16: whether to draw in it; default: if the processor multiplies in it. cache: of this network."""
        self._checkpoint = checkpoint
        self._core = ov.Core()
        if bfloat16 is None:
            bfloat16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._step_type = ov.Type.bf16 if bfloat16 else ov.Type.f32
        self._cache = cache
        self._locking = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        """one for each graph"""
        self._models: dict[str, Any] = {}
        self._mapped: list[Any] = []
        """memory of graphs from the cache, which they keep reading"""
        self._local = threading.local()
        self._comparing = threading.Lock()
        self._alike: dict[tuple[int, int], bool] = {}
        self.numbers = self._load_numbers()

    def prepare(self, photos: int, draws: int, samples: int) -> None:
        """See `Runtime.prepare`. Graphs come from the cache on a thread of their own, which needs no Python."""
        names = (
            _graph_name("condition", photos),
            self._step_name("distilled", draws),
            _graph_name("mixtures", samples),
            _graph_name("details", samples),
        )
        if self._cache is not None:
            threading.Thread(target=self._load_all, args=(names,), name="graphs", daemon=False).start()
        begin_drawing()

    def prepare_rest(self, draws: int, most_draws: int, samples: int) -> Iterator[None]:
        """See `Runtime.prepare_rest`: the encoding graph, and the step graphs, which are tested with many draws."""
        self._graph("encode", samples)
        yield
        more = draws
        while more <= most_draws:
            for kind in ("distilled", "level"):
                self._step(kind, more)
                yield
            if more > draws and not self.draws_alike(draws, more):
                return
            more *= 2

    def condition(self, lightness: Floats) -> Condition:
        parts = self._run("condition", lightness)
        return Condition(tuple(parts[:2]), tuple(parts[2:]))

    def draw_coarsest(
        self, condition: Condition, photo: Indices, z: Floats, temperature: Floats, given: Given
    ) -> Floats:
        known = given._replace(cells=self.numbers.standardize(given.cells))
        upcoming, past = condition.cells
        stepper = self._own(len(z), lambda: self._new_stepper(len(z)))
        cells = stepper.draw(upcoming, past, photo, z, temperature, known)
        return self.numbers.to_chroma(self.numbers.from_rows(cells))

    def draws_alike(self, rows: int, more: int) -> bool:
        key = (rows, more)  # tested once, with made-up rows
        with self._comparing:
            if key not in self._alike:
                self._alike[key] = draw_alike(self._new_stepper(rows), self._new_stepper(more))
            return self._alike[key]

    def add_details(self, condition: Condition, photo: Indices, coarsest: Floats, latents: Sequence[Floats]) -> Samples:
        x = self.numbers.standardize(coarsest)
        z, of_cells = self._encode_cells(condition, photo, x)
        chroma, *terms = self._run("details", x, *(level[photo] for level in condition.maps), *latents)
        log_dets = [of_cells, *(-part.sum(1, dtype=np.float64) for part in terms)]
        log_prob = self._log_prob([z, *latents], log_dets)
        return Samples(self.numbers.to_chroma(chroma), log_prob, z.astype(np.float32))

    def encode(self, condition: Condition, photo: Indices, chroma: Floats) -> Encoded:
        finest = self.numbers.standardize(chroma)
        x, *outputs = self._run("encode", finest, *(level[photo] for level in condition.maps))
        latents, terms = outputs[: len(outputs) // 2], outputs[len(outputs) // 2 :]
        z, of_cells = self._encode_cells(condition, photo, x)
        log_dets = [of_cells, *(part.sum(1, dtype=np.float64) for part in terms)]
        return Encoded(self._log_prob([z, *latents], log_dets), [z.astype(np.float32), *latents])

    def _encode_cells(
        self, condition: Condition, photo: Indices, x: Floats
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Encode standardized a*b* of the coarsest size: its latents, (N, 128), and the log-det of the mixtures."""
        cells = self.numbers.cells_in_order(x)
        (output,) = self._run("mixtures", cells, *(part[photo] for part in condition.cells))
        flat = np.ascontiguousarray(cells.reshape(-1, 2), np.float64)
        z, log_dets = latents_of_outputs(output.reshape(-1, output.shape[-1]), flat)
        return z.reshape(len(x), 2 * CELLS), log_dets.reshape(len(x), CELLS).sum(1)

    def _log_prob(
        self, latents: Sequence[NDArray[Any]], log_dets: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Nats of each level, (N, levels), from its latents and the log-det of the way to them."""
        parts = [
            log_det + scale - 0.5 * (np.square(z, dtype=np.float64).sum(1) + z.shape[1] * math.log(2 * math.pi))
            for z, log_det, scale in zip(latents, log_dets, self.numbers.log_scales, strict=True)
        ]
        return np.stack(parts, 1)

    def _run(self, graph: str, *inputs: NDArray[Any]) -> list[Floats]:
        """Run a graph for as many rows as the first input has."""
        rows = len(inputs[0])
        request = self._own((graph, rows), lambda: self._graph(graph, rows).create_infer_request())
        arrays = [np.ascontiguousarray(part, np.float32) for part in inputs]
        for i, array in enumerate(arrays):
            request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
        request.infer()
        return [output.data.copy() for output in request.output_tensors]

    def _own(self, key: object, make: Callable[[], Result]) -> Result:
        """Return this thread's own object of a key, made when it first needs it."""
        own: dict[object, Result] = self._local.__dict__.setdefault("own", {})
        if key not in own:
            own[key] = make()
        return own[key]

    def _graph(self, graph: str, rows: int) -> Any:
        """Return a graph in float32 for a number of rows."""
        build = getattr(graphs, f"{graph}_graph")
        return self._compiled(_graph_name(graph, rows), lambda: build(self._arrays, rows))

    def _new_stepper(self, rows: int) -> Stepper:
        return Stepper(self.numbers, lambda kind: self._step(kind, rows))

    def _step(self, kind: str, rows: int) -> Any:
        """Return the graph of steps, in bfloat16 where draws are. kind: `level`, or `distilled` for that decoder's."""
        return self._compiled(
            self._step_name(kind, rows),
            lambda: graphs.step_graph(self._arrays, kind == "distilled", rows, self._step_type),
        )

    def _step_name(self, kind: str, rows: int) -> str:
        return f"{STEP}{kind}-{rows}-{self._step_type.get_type_name()}"

    @cached_property
    def _weights(self) -> CinnArrays:
        return self._checkpoint.arrays  # a file's arrays are decoded once

    @cached_property
    def _arrays(self) -> CinnArrays:
        """The network's weights, for graphs that the cache lacks."""
        arrays = self._weights
        # a clamp, such as in ReLU6, would hide a NaN
        if not arrays.layers.are_finite():
            raise NonFiniteError("the network has weights that are not finite numbers")
        return arrays

    def _load_numbers(self) -> Numbers:
        stored = None if self._cache is None else self._cache.load(NUMBERS)
        numbers = None if stored is None else Numbers.from_bytes(stored.tobytes())
        if numbers is None:
            numbers = Numbers.of(self._weights)
            if self._cache is not None:
                self._cache.store(NUMBERS, numbers.to_bytes())
        return numbers

    def _compiled(self, name: str, build: Callable[[], Any]) -> Any:
        """Return a graph, compiled once for all threads. name: it ends with the precision."""
        with self._lock_of(name):
            if not self._load(name):
                self._models[name] = self._core.compile_model(_built(build), "CPU", self._options(name))
                if self._cache is not None:
                    exported = BytesIO()
                    self._models[name].export_model(exported)
                    self._cache.store(name, exported.getvalue())
            return self._models[name]

    def _load_all(self, names: Sequence[str]) -> None:
        for name in names:
            with self._lock_of(name):
                self._load(name)

    def _lock_of(self, name: str) -> threading.Lock:
        """Return the lock of one graph: compiling one does not block others."""
        with self._locking:
            return self._locks.setdefault(name, threading.Lock())

    def _load(self, name: str) -> bool:
        """Load a graph from the cache unless loaded; say whether it is loaded now."""
        if name in self._models:
            return True
        blob = None if self._cache is None else self._cache.load(name)
        if blob is None:
            return False
        try:
            model = self._core.import_model(ov.Tensor(blob, shared_memory=True), "CPU", self._options(name))
        except RuntimeError:  # not a graph
            return False
        self._models[name] = model
        self._mapped.append(blob)
        return True

    def _options(self, name: str) -> dict[str, Any]:
        options = {
            "INFERENCE_PRECISION_HINT": name.rpartition("-")[2],
            "INFERENCE_NUM_THREADS": THREADS,
            "NUM_STREAMS": THREADS,
            "ENABLE_CPU_PINNING": False,
        }
        # OpenVINO 2026.4 crashes when it fuses elementwise operations of a small float32 step; fusing is not faster
        return options | ({"SNIPPETS_MODE": "DISABLE"} if name.startswith(STEP) else {})


def _graph_name(graph: str, rows: int) -> str:
    """Return the cache name of a float32 graph."""
    return f"{graph}-{rows}-f32"


def _built(build: Callable[[], Any]) -> Any:
    """Build a graph. Raises CheckpointError if shapes or numbers of layers do not fit the configuration."""
    try:
        return build()
    except (RuntimeError, ValueError) as error:  # OpenVINO's, or a zip's
        raise CheckpointError(f"the weights do not fit their configuration: {error}") from error

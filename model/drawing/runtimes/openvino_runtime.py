"""The network on CPUs, compiled by OpenVINO, in bfloat16 where the processor has it.

Draws of the coarsest level, which take most time and decide no likelihood, may be in bfloat16. All that
likelihoods are made of is in float32: the condition, the mixtures of the a*b* that were drawn, and the finer levels.
Terms of log-dets are added up in float64.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import openvino as ov
import torch
from torch import Tensor

from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.graphs import condition_graph, details_graph, mixtures_graph, picture_graph, step_graph
from model.drawing.runtimes.runtime import Condition
from model.drawing.runtimes.stepping import CACHE_LENGTHS, Stepper, draw_alike
from model.errors import NonFiniteError
from model.flow.cinn import Cinn, LogProb, Samples, gaussian_log_prob
from model.flow.haar import join
from model.flow.mixture import Mixture, begin_drawing

__all__ = ["OpenvinoRuntime"]

Graph = Callable[[Cinn, int], Any]
STEP = "step-"
"""Names of graphs of the coarsest level's steps begin with it."""


class OpenvinoRuntime:
    """Runs the network in as many passes at once as there are threads, each by one thread; see `Runtime`.

    A graph is compiled for the number of rows that it is first called with, and kept.
    """

    def __init__(self, cinn: Cinn, threads: int, bfloat16: bool | None = None, cache: GraphCache | None = None) -> None:
        """bfloat16: for draws; by default, where the processor multiplies matrices of it. cache: of this network."""
        self.cinn = cinn
        self._threads = threads
        self._core = ov.Core()
        if bfloat16 is None:
            bfloat16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # a clamp, such as that of ReLU6, would make a number of a weight that is none; a file's weights were checked
        if cache is None and not all(bool(torch.isfinite(parameter).all()) for parameter in cinn.parameters()):
            raise NonFiniteError("the network has weights that are not finite numbers")
        self._bfloat16 = bfloat16
        self._cache = cache
        self._compiling = threading.Lock()
        self._models: dict[str, Any] = {}
        self._mapped: list[Any] = []
        """memory of graphs from the cache, which they go on reading"""
        self._local = threading.local()
        self._comparing = threading.Lock()
        self._alike: dict[tuple[int, int], bool] = {}

    def prepare(self, photos: int, draws: int, samples: int) -> None:
        """See `Runtime.prepare`. Graphs come from the cache on a thread of their own, which needs no Python."""
        rows = {condition_graph: photos, picture_graph: photos, mixtures_graph: samples, details_graph: samples}
        steps = [f"{STEP}{kind}-{draws}-" for kind in ("level", "prior")]
        wanted = (*(f"{graph.__name__}-{count}-" for graph, count in rows.items()), *steps)
        if self._cache is not None:
            threading.Thread(target=self._load_all, args=(wanted,), name="graphs").start()
        begin_drawing()

    def condition(self, lightness: Tensor) -> Condition:
        """See `Runtime.condition`."""
        parts = self._run(condition_graph, True, lightness)
        return Condition(tuple(parts[:3]), tuple(parts[3:]))

    def draw_coarsest(
        self, condition: Condition, photo: Tensor, z: Tensor, temperature: Tensor, given: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `Runtime.draw_coarsest`."""
        _, upcoming, past = condition.cells
        cinn = self.cinn
        known = (given - cinn.chroma_mean) / cinn.chroma_std
        drawn, fits = self._stepper(len(z)).draw(upcoming, past, photo, z, temperature, known)
        return drawn * cinn.chroma_std + cinn.chroma_mean, fits

    def draws_alike(self, rows: int, more: int) -> bool:
        """See `Runtime.draws_alike`; tried once, for made-up rows."""
        key = (rows, more)
        with self._comparing:
            if key not in self._alike:
                self._alike[key] = draw_alike(self._new_stepper(rows), self._new_stepper(more))
            return self._alike[key]

    def see(self, rgb: Tensor) -> Tensor:
        """See `Runtime.see`; no likelihood depends on it."""
        (features,) = self._run(picture_graph, False, rgb)
        return features

    def add_details(self, condition: Condition, photo: Tensor, coarsest: Tensor, latents: Sequence[Tensor]) -> Samples:
        """See `Runtime.add_details`."""
        cinn = self.cinn
        x = self._standardized(coarsest)
        cells, _ = cinn.coarsest.in_order(x)
        (output,) = self._run(mixtures_graph, True, cells, *(part[photo] for part in condition.cells[1:]))
        z, log_det = cinn.coarsest.latents(Mixture.from_output(output), cells)
        outputs = self._run(details_graph, True, x, *(level[photo] for level in condition.maps), *latents)
        chroma, count = x, len(cinn.details)
        for details in outputs[:count]:
            chroma = join(chroma, details)
        parts = [gaussian_log_prob(z).double() + log_det + cinn.constant(0)]
        for i, (level, noise, part) in enumerate(zip(cinn.details, latents, outputs[count:], strict=True), 1):
            log_det = level.log_scale() + part.double().sum(1)
            parts.append(gaussian_log_prob(noise) - log_det + cinn.constant(i))
        return Samples(chroma * cinn.chroma_std + cinn.chroma_mean, torch.stack(parts, 1), z)

    def encode(self, condition: Condition, photo: Tensor, chroma: Tensor) -> LogProb:
        """See `Runtime.encode`."""
        return self.cinn.log_prob(chroma, [level[photo] for level in (condition.cells[0], *condition.maps)])

    def _standardized(self, chroma: Tensor) -> Tensor:
        return (chroma - self.cinn.chroma_mean) / self.cinn.chroma_std

    def _run(self, graph: Graph, exact: bool, *inputs: Tensor) -> list[Tensor]:
        """Run a graph for as many rows as the first input has."""
        request = self._request(graph, len(inputs[0]), exact)
        arrays = [part.contiguous().numpy() for part in inputs]
        for i, array in enumerate(arrays):
            request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
        request.infer()
        return [torch.from_numpy(output.data.copy()) for output in request.output_tensors]

    def _request(self, graph: Graph, rows: int, exact: bool) -> Any:
        """Return this thread's own request for a graph."""
        key = (graph, rows)
        requests = self._local.__dict__.setdefault("requests", {})
        if key not in requests:
            name = f"{graph.__name__}-{rows}"
            requests[key] = self._compiled(name, partial(graph, self.cinn, rows), exact).create_infer_request()
        return requests[key]

    def _stepper(self, rows: int) -> Stepper:
        """Return this thread's own stepper."""
        steppers: dict[int, Stepper] = self._local.__dict__.setdefault("steppers", {})
        if rows not in steppers:
            steppers[rows] = self._new_stepper(rows)
        return steppers[rows]

    def _new_stepper(self, rows: int) -> Stepper:
        dtype = ov.Type.bf16 if self._bfloat16 else ov.Type.f32
        level, prior = self.cinn.coarsest, self.cinn.prior
        models = []
        for kind, decoder in (("level", level), ("prior", prior)):
            graphs = {length: partial(step_graph, decoder, rows, length, dtype) for length in CACHE_LENGTHS}
            models.append({n: self._compiled(f"{STEP}{kind}-{rows}-{n}", build, False) for n, build in graphs.items()})
        return Stepper(level, prior, rows, *models)

    def _compiled(self, name: str, build: Callable[[], Any], exact: bool) -> Any:
        """Return a graph, compiled once for all threads."""
        name = f"{name}-{'bf16' if self._bfloat16 and not exact else 'f32'}"
        with self._compiling:
            if name not in self._models and not self._load(name):
                self._models[name] = self._core.compile_model(build(), "CPU", self._options(name))
                if self._cache is not None:
                    exported = BytesIO()
                    self._models[name].export_model(exported)
                    self._cache.store(name, exported.getvalue())
            return self._models[name]

    def _load_all(self, prefixes: tuple[str, ...]) -> None:
        """Load every graph that the cache has of those whose names begin so."""
        for name in self._cache.names() if self._cache else ():
            with self._compiling:
                if name.startswith(prefixes) and name not in self._models:
                    self._load(name)

    def _load(self, name: str) -> bool:
        """Load a graph if the cache has it."""
        blob = None if self._cache is None else self._cache.load(name)
        if blob is None:
            return False
        try:
            model = self._core.import_model(ov.Tensor(blob, shared_memory=True), "CPU", self._options(name))
        except RuntimeError:  # whatever it holds, it is no graph
            return False
        self._models[name] = model
        self._mapped.append(blob)
        return True

    def _options(self, name: str) -> dict[str, Any]:
        options = {
            "INFERENCE_PRECISION_HINT": name.rpartition("-")[2],
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._threads,
            "ENABLE_CPU_PINNING": False,
        }
        # OpenVINO 2026.4 crashes where it fuses elementwise operations of a small step in float32; none gains by it
        return options | ({"SNIPPETS_MODE": "DISABLE"} if name.startswith(STEP) else {})

"""Timings of torch, onnxruntime and OpenVINO on the same ONNX models, as JSON for `benchmarks.speed.runtimes`.

Two parts of the released network are timed: the condition of a photo, and the finer levels of SAMPLES samples. Level 8²
is left out, since its 64 steps keep state, which needs an ONNX model of its own.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import openvino
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.photos import made_up_lightness
from model.drawing.latents import draw_latents
from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from model.flow.haar import join
from model.pixels.resizing import resize_lightness
from training.commands import RELEASED

SAMPLES = 2
ROUNDS = 15
OPSET = 18

Arrays = list[NDArray[np.float32]]
Run = Callable[[Arrays], Arrays]


class Part(nn.Module):
    """A part of the network."""

    def __init__(self, cinn: Cinn, compute: Callable[..., Any]) -> None:
        super().__init__()
        self.cinn, self.compute = cinn, compute

    def forward(self, *inputs: Tensor) -> Any:
        return self.compute(self.cinn, *inputs)


def complete(cinn: Cinn, coarsest: Tensor, *others: Tensor) -> Tensor:
    """Decode the finer levels, without their log-dets.

    coarsest: (N, 2, 8, 8). others: the condition of each finer level, then its latents.
    """
    count = len(cinn.details)
    chroma = (coarsest - cinn.chroma_mean) / cinn.chroma_std
    for level, condition, z in zip(cinn.details, others[:count], others[count:], strict=True):
        chroma = join(chroma, level.inverse(z, level.sample_condition(condition, chroma))[0])
    return chroma * cinn.chroma_std + cinn.chroma_mean


def runtimes(module: nn.Module, inputs: Sequence[Tensor], file: Path) -> Iterator[tuple[str, Run]]:
    """Yield every way to run a module, torch in float32 first."""

    def by_torch(arrays: Arrays) -> Arrays:
        with torch.inference_mode():
            found = module(*map(torch.from_numpy, arrays))
        return [each.numpy() for each in ([found] if isinstance(found, Tensor) else found)]

    yield "torch, float32", by_torch
    torch.onnx.export(module, tuple(inputs), file, dynamo=True, opset_version=OPSET, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    yield "onnxruntime, float32", lambda arrays: session.run(None, dict(zip(names, arrays, strict=True)))
    for name, precision in (("float32", "f32"), ("bfloat16", "bf16")):
        hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        compiled = openvino.Core().compile_model(file, "CPU", hints)
        yield f"OpenVINO, {name}", partial(_infer, compiled)


def _infer(compiled: openvino.CompiledModel, arrays: Arrays) -> Arrays:
    return list(compiled(arrays).to_tuple())


def measure(module: nn.Module, inputs: Sequence[Tensor], file: Path) -> Iterator[dict[str, object]]:
    """Time all runtimes in turns, so that other work on the machine affects all alike."""
    arrays = [each.numpy() for each in inputs]
    ways = list(runtimes(module, inputs, file))
    results = [way(arrays) for _, way in ways]
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for (_, way), times in zip(ways, seconds, strict=True):
            started = time.perf_counter()
            way(arrays)
            times.append(time.perf_counter() - started)
    for (name, _), times, found in zip(ways, seconds, results, strict=True):
        far = [np.abs(one - other) for one, other in zip(found, results[0], strict=True)]
        yield {
            "runtime": name,
            "seconds": statistics.median(times),
            "least_seconds": min(times),
            "mean_difference": float(np.mean([each.mean() for each in far])),
        }


def main() -> None:
    """Measure both parts, and print a JSON object."""
    torch.set_num_threads(1)
    cinn = load_checkpoint(RELEASED).cinn.eval().requires_grad_(False)
    lightness = torch.from_numpy(resize_lightness(made_up_lightness((512, 512))))[None, None]
    latents = [torch.from_numpy(z) for z in draw_latents(cinn.dims, [1.0] * len(cinn.dims), 0, range(SAMPLES))]
    with torch.inference_mode():
        condition = cinn.condition(lightness)
    coarsest = cinn.draw_coarsest(condition[0], latents[0], torch.ones(SAMPLES))
    parts = {
        "condition of a photo": (Part(cinn, Cinn.condition).eval(), [lightness]),
        f"finer levels of {SAMPLES} samples": (Part(cinn, complete).eval(), [coarsest, *condition[1:], *latents[1:]]),
    }
    with TemporaryDirectory() as folder:
        found = [
            {"part": part, **row}
            for part, (module, inputs) in parts.items()
            for row in measure(module, [each.clone() for each in inputs], Path(folder) / "part.onnx")
        ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

"""Seconds for n samples, by tintflow and by the authors' network: `python -m benchmarks.speed.sampling [--json -]`.

Condition and inverse are timed separately, as the service computes them. Variants of the same network differ in memory
format, precision and compiling; each has the seconds of its first call, and its ΔE to float32. The last variant is that
of the service on a CPU. All others draw one chunk of samples after another, each operation on all of torch's threads.
The peer is the authors' architecture, built of FrEIA's modules with random weights, without its feature network.
"""

import contextlib
import copy
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from benchmarks.network import decode, load_colorizer
from benchmarks.peers.authors import Authors
from benchmarks.photos import made_up_lightness
from benchmarks.report import JsonFile, Target, write
from model.colorizer import CinnColorizer, colorize
from model.device import choose_device
from model.drawing.latents import draw_latents
from model.drawing.passes import Passes
from model.drawing.runtimes.runtime import Condition
from model.flow.cinn import Cinn
from model.options import SampleOptions
from model.pixels.color import lightness_to_gray
from model.pixels.resizing import resize_lightness
from training.commands import RELEASED, Device, errors_printed

NUMBERS = (1, 2, 4, 8, 16, 32)
UNIT = (1.0,) * 4
"""Standard deviation of each level's latents."""
JUDGED = 8
SIDE = 512
LARGE_BATCH = 64
Variant = dict[str, Any]
"""One way to run the same network, on JUDGED samples"""
CHUNK = {"cpu": 4, "cuda": 16}
"""Samples per pass of the variants; more were not faster."""
REPETITIONS = 7
N8_TO_N1 = 2.5
FASTER_THAN_AUTHORS = 25.0
DELTA_E = 0.5
"""Largest allowed mean ΔE of the runtime's a*b* to those of float32."""
CUDA_SECONDS = 0.025
"""Target for a 512×512 photo and n=8 on a GPU."""


def by_number(colorizer: CinnColorizer) -> Iterator[dict[str, float]]:
    """Time the service's passes for several n."""
    passes = colorizer.passes
    lightness = [resize_lightness(made_up_lightness((SIDE, SIDE)))]
    (condition,) = passes.condition(lightness)
    for n in NUMBERS:
        latents = draw_latents(colorizer.cinn.dims, UNIT, 0, range(n))
        first = median_seconds(partial(passes.condition, lightness), colorizer.device)
        second = median_seconds(partial(decode, passes, condition, latents), colorizer.device)
        each = (first + second) / n
        yield {"n": n, "condition_seconds": first, "sample_seconds": second, "seconds_each": each}


def variants(colorizer: CinnColorizer, compiled: bool) -> Iterator[Variant]:
    """Time every variant of the network; the first, float32 as stored, is the reference of the others."""
    device = colorizer.device
    lightness = resize_lightness(made_up_lightness((SIDE, SIDE)))
    tensor = torch.from_numpy(lightness)[None, None].to(device)
    drawn = draw_latents(colorizer.cinn.dims, UNIT, 0, range(JUDGED))
    latents = [torch.from_numpy(z).to(device) for z in drawn]
    reference = None
    for name, cinn, context, mode in _ways(colorizer.cinn, device, compiled):
        see, sample = cinn.condition, cinn.sample
        if mode is not None:
            torch.compiler.reset()
            see, sample = torch.compile(see, mode=mode), torch.compile(sample, mode=mode)
        with torch.no_grad(), context():
            way, chroma = _timed(name, partial(see, tensor), partial(_chunks, sample, latents), reference, device)
        reference = chroma if reference is None else reference
        yield way
    if device == "cpu":
        passes = Passes(colorizer.checkpoint, device)

        def draw(condition: list[Condition]) -> Tensor:
            return torch.from_numpy(decode(passes, condition[0], drawn).chroma)

        yield _timed("tintflow: by OpenVINO", partial(passes.condition, [lightness]), draw, reference, device)[0]


def _timed(
    name: str, see: Callable[[], list[Any]], draw: Callable[[list[Any]], Tensor], reference: Tensor | None, device: str
) -> tuple[Variant, Tensor]:
    """Time the condition and the samples of one variant, and its first call; return also its a*b*.

    reference: a*b* for the mean ΔE76; None compares the variant with itself.
    """
    started = time.perf_counter()
    condition = see()
    chroma = draw(condition)
    first = time.perf_counter() - started
    far = (chroma - (chroma if reference is None else reference)).norm(dim=1)
    return {
        "name": name,
        "condition_seconds": median_seconds(see, device),
        "sample_seconds": median_seconds(partial(draw, condition), device),
        "first_seconds": first,
        "delta_e": float(far.mean()),
    }, chroma


Context = Callable[[], AbstractContextManager[Any]]


def _ways(ordered: Cinn, device: str, compiled: bool) -> Iterator[tuple[str, Cinn, Context, str | None]]:
    """Yield name, network in its memory format, precision context, and mode of torch.compile or None."""
    stored, ordered = (
        copy.deepcopy(ordered).to(memory_format=layout)  # type: ignore[call-overload]
        for layout in (torch.contiguous_format, torch.channels_last)
    )
    exact, rounded = contextlib.nullcontext, partial(torch.autocast, device, dtype=torch.bfloat16)
    yield "float32", stored, exact, None
    yield f"{'tintflow: ' * (device == 'cuda')}float32, channels last", ordered, exact, None
    yield "bfloat16", stored, rounded, None
    yield "bfloat16, channels last", ordered, rounded, None
    if compiled:
        yield "float32, torch.compile", stored, exact, "default"
        yield "bfloat16, torch.compile", stored, rounded, "default"
        if device == "cuda":
            yield "bfloat16, torch.compile, CUDA graphs", stored, rounded, "reduce-overhead"


def _chunks(sample: Callable[..., Any], latents: list[Tensor], condition: list[Tensor]) -> Tensor:
    condition = [level.clone() for level in condition]  # CUDA graphs overwrite their results
    parts = zip(*(torch.split(z, CHUNK[z.device.type]) for z in latents), strict=True)
    return torch.cat([sample(condition, list(part)).chroma.float().clone() for part in parts])


def authors_seconds(device: str) -> float:
    """Time the authors' architecture on JUDGED samples."""
    generator = torch.Generator().manual_seed(0)
    authors = Authors(generator).to(device)
    latents = [torch.randn(JUDGED, dim, generator=generator).to(device) for dim in authors.latents]
    features = torch.randn(1, 256, 64, 64, generator=generator).to(device)
    with torch.no_grad():
        return median_seconds(partial(authors.sample, features, latents), device, repetitions=3)


def photo_seconds(colorizer: CinnColorizer, n: int) -> float:
    """Time a 512×512 photo, from its pixels to the pixels of its samples."""
    gray = np.rint(lightness_to_gray(made_up_lightness((SIDE, SIDE))) * 255).astype(np.uint8)
    return median_seconds(partial(colorize, colorizer, gray, SampleOptions(n, seed=0)), colorizer.device)


def median_seconds(call: Callable[[], object], device: str, repetitions: int = REPETITIONS) -> float:
    """Return the median seconds of several calls after a first one, each waiting for the device."""
    seconds = []
    for _ in range(1 + repetitions):
        started = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _targets(
    numbers: Sequence[dict[str, float]], ways: Sequence[Variant], authors: float, photo: float, device: str
) -> Iterator[Target]:
    total = {each["n"]: each["condition_seconds"] + each["sample_seconds"] for each in numbers}
    ratio = total[JUDGED] / total[1]
    yield Target(f"n={JUDGED} at most {N8_TO_N1:g} times n=1", f"{ratio:.2f} times", ratio <= N8_TO_N1)
    ratio = authors / total[JUDGED]
    promise = f"{FASTER_THAN_AUTHORS:g} times the authors' network at n={JUDGED}"
    yield Target(promise, f"{ratio:.1f} times", ratio >= FASTER_THAN_AUTHORS)
    default = ways[-1] if device == "cpu" else ways[1]
    promise = f"default ({default['name']}) within a mean ΔE of {DELTA_E:g} of float32"
    yield Target(promise, f"{default['delta_e']:.2g}", default["delta_e"] < DELTA_E)
    if device == "cuda":
        promise = f"a {SIDE}×{SIDE} photo, n={JUDGED}, in {CUDA_SECONDS:g} s on a GPU"
        yield Target(promise, f"{photo:.4f} s", photo <= CUDA_SECONDS)


def main(
    device: Device = "cpu",
    compiled: Annotated[bool, typer.Option("--compile", help="Also time torch.compile; takes many minutes.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    with errors_printed():
        device = choose_device(device)
    authors = authors_seconds(device)  # first, with torch's default number of threads
    colorizer = load_colorizer(RELEASED, device)
    ways = list(variants(colorizer, compiled))
    numbers = list(by_number(colorizer))
    whole = {n: photo_seconds(colorizer, n) for n in (JUDGED, LARGE_BATCH)}
    figures = {
        "device": colorizer.device,
        "by_number": numbers,
        "variants": ways,
        "authors_seconds": authors,
        "photos": [{"n": n, "seconds": seconds, "per_second": n / seconds} for n, seconds in whole.items()],
    }
    targets = list(_targets(numbers, ways, authors, whole[JUDGED], colorizer.device))
    write("sampling", targets, figures, json_file)


if __name__ == "__main__":
    typer.run(main)

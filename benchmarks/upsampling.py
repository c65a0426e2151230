"""Speed of full-size upsampling, ours beside what OpenCV offers: `python -m benchmarks.upsampling [--json -]`.

Every method turns N small a*b* maps and a full-size L* into N 8-bit sRGB pictures; bilinear clips colours instead of
mapping them to the gamut. The filters of OpenCV's contrib modules are timed on one channel of one megapixel, after
bilinear upsampling and without conversion, and multiplied. They come with opencv-contrib-python-headless, which clashes
with opencv-python-headless; so give it a folder of its own:

    pip install --no-deps --target build/contrib opencv-contrib-python-headless
    PYTHONPATH=build/contrib python -m benchmarks.upsampling
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from model.upsampling import upsample_to_rgb

__all__ = ["Measurement", "main", "measure"]

MEGAPIXELS = (1.0, 12.0, 50.0)
SAMPLES = 8
SMALL = 64
JOINT_BILATERAL_DIAMETER = 33
"""Of OpenCV's joint bilateral filter, in pixels: still fewer than 5 small ones of a megapixel photo, which are 78."""
REPETITIONS = 3

Floats = NDArray[np.float32]


class Cost(NamedTuple):
    """What one run took."""

    seconds: float
    """wall clock, the best of the repetitions"""
    cpu_seconds: float
    """of all threads, the least; steadier than wall clock where others use the machine"""
    extra_megabytes: float | None
    """peak of memory above what was in use before, where the system tells"""


@dataclass(frozen=True)
class Measurement:
    """One method on one photo size."""

    method: str
    megapixels: float
    samples: int
    seconds: float | None
    """None where the method is not installed"""
    cpu_seconds: float | None
    ratio: float | None
    """of cpu_seconds to ours"""
    extra_megabytes: float | None
    """beside input and output"""


def measure(megapixels: Sequence[float] = MEGAPIXELS, samples: int = SAMPLES) -> Iterator[Measurement]:
    """Time each method on made-up 4:3 photos."""
    contrib = _contrib_costs_per_channel()
    generator = np.random.default_rng(0)
    coarse = generator.normal(0, 20, (samples, 2, 8, 8)).astype(np.float32)
    chroma = np.stack([[_bilinear(channel, (SMALL, SMALL)) for channel in sample] for sample in coarse])
    for size in megapixels:
        height = max(1, round((size * 1e6 * 3 / 4) ** 0.5))
        lightness = made_up_lightness((height, height * 4 // 3))
        out = np.full((samples, *lightness.shape, 3), 255, np.uint8)  # touched, so that it does not count as extra
        upsample_to_rgb(chroma, lightness[:1])  # loads the kernel
        ours = _cost(upsample_to_rgb, chroma, lightness, out)
        plain = _cost(bilinear_to_rgb, chroma, lightness, out)
        for method, cost in (("tintflow", ours), ("bilinear", plain)):
            ratio = cost.cpu_seconds / ours.cpu_seconds
            yield Measurement(method, size, samples, cost.seconds, cost.cpu_seconds, ratio, cost.extra_megabytes)
        for method, per_channel in contrib.items():
            if per_channel is None:
                yield Measurement(method, size, samples, None, None, None, None)
                continue
            times = size * 2 * samples
            ratio = times * per_channel.cpu_seconds / ours.cpu_seconds
            seconds, cpu_seconds = times * per_channel.seconds, times * per_channel.cpu_seconds
            yield Measurement(method, size, samples, seconds, cpu_seconds, ratio, None)


def made_up_lightness(shape: tuple[int, int]) -> Floats:
    """Return (H, W) L* with smooth areas, hard edges and noise."""
    generator = np.random.default_rng(1)
    soft = cv2.resize(generator.uniform(10, 90, (9, 12)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    hard = cv2.resize(
        generator.uniform(-15, 15, (30, 40)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    grain = np.resize(generator.standard_normal(1_000_003, np.float32), shape)
    return np.clip(soft + hard + grain, 0, 100, dtype=np.float32)


def bilinear_to_rgb(chroma: Floats, lightness: Floats, out: NDArray[np.uint8]) -> None:
    """Resize each channel and let OpenCV convert; colours outside of sRGB are clipped."""
    lab = np.empty((*lightness.shape, 3), np.float32)
    lab[..., 0] = lightness
    for picture, (a, b) in zip(out, chroma, strict=True):
        lab[..., 1], lab[..., 2] = _bilinear(a, lightness.shape), _bilinear(b, lightness.shape)
        cv2.convertScaleAbs(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), picture, 255)


def _bilinear(image: Floats, shape: tuple[int, ...]) -> Floats:
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _contrib_costs_per_channel() -> dict[str, Cost | None]:
    """Time OpenCV's own guided filters on one channel of one megapixel."""
    contrib: Any = getattr(cv2, "ximgproc", None)
    if contrib is None:
        return {"jointBilateralFilter": None, "guidedFilter": None}
    guide = made_up_lightness((1000, 1000))
    image = _bilinear(np.random.default_rng(0).normal(0, 20, (SMALL, SMALL)).astype(np.float32), guide.shape)
    diameter = JOINT_BILATERAL_DIAMETER
    return {
        "jointBilateralFilter": _cost(contrib.jointBilateralFilter, guide, image, diameter, 8.0, diameter / 4),
        "guidedFilter": _cost(contrib.guidedFilter, guide, image, 2 * 1000 // SMALL, 64.0),
    }


def _cost(run: Callable[..., object], *arguments: object) -> Cost:
    before = _peak_megabytes(reset=True)
    seconds, cpu_seconds = [], []
    for _ in range(REPETITIONS):
        start, cpu_start = time.perf_counter(), time.process_time()
        run(*arguments)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    after = _peak_megabytes(reset=False)
    extra = None if before is None or after is None else after - before
    return Cost(min(seconds), min(cpu_seconds), extra)


def _peak_megabytes(reset: bool) -> float | None:
    status = Path("/proc/self/status")
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is in use
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    except OSError:
        return None
    return int(fields["VmHWM"].split()[0]) / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table; with `--json`, write the figures too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upsampling", description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="where to write the figures, - for standard output")
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    options = parser.parse_args(arguments)
    results = list(measure(options.megapixels, options.samples))
    table = Table(
        "megapixels", "method", "seconds", "CPU seconds", "ratio", "extra MB", title=f"{options.samples} maps"
    )
    for found in results:
        figures = (found.seconds, found.cpu_seconds, found.ratio, found.extra_megabytes)
        cells = ["" if figure is None else f"{figure:.3g}" for figure in figures]
        if found.seconds is None:
            cells[0] = "not installed"
        table.add_row(f"{found.megapixels:g}", found.method, *cells)
    Console(file=sys.stderr if options.json == "-" else sys.stdout).print(table)
    if options.json:
        report = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "hardware": {"cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
            "results": [asdict(found) for found in results],
        }
        text = json.dumps(report, indent=2)
        print(text) if options.json == "-" else Path(options.json).write_text(text + "\n")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()

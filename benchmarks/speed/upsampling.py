"""Speed of full-size upsampling and its alternatives: `python -m benchmarks.speed.upsampling [--json -]`.

Every method turns N small a*b* maps and a full-size L* into N 8-bit sRGB pictures. `numpy` is the reference in plain
numpy; bilinear clips colors instead of mapping them to the gamut. The filters of OpenCV's contrib modules, in an
environment of their own, are timed on one channel of one megapixel, after bilinear upsampling and without conversion;
their time is then multiplied. Each method's first call, which may compile, is timed separately.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.cost import cost
from benchmarks.environment import environment, measured_in
from benchmarks.photos import bilinear, made_up_lightness
from benchmarks.report import JsonFile, Target, write
from model.pixels.bilateral import upsample_to_rgb_plainly
from model.pixels.upsampling import upsample_to_rgb

MEGAPIXELS = (1.0, 12.0, 50.0)
SAMPLES = 8
SMALL = 64
LARGEST_IN_NUMPY = 1.0
"""Largest size for plain numpy in megapixels; larger ones take too long."""
OURS, PLAIN, JOINT = "tintflow", "numpy", "jointBilateralFilter"
SECONDS, RATIO, EXTRA_MEGABYTES = 1.0, 300.0, 64.0
TARGET_MEGAPIXELS = 12.0

Floats = NDArray[np.float32]
Method = Callable[[Floats, Floats, NDArray[np.uint8]], object]


def measure(megapixels: Sequence[float], samples: int, peers: bool) -> Iterator[dict[str, Any]]:
    """Time each method on synthetic 4:3 photos; `ratio` is CPU seconds relative to ours."""
    methods: dict[str, Method] = {OURS: upsample_to_rgb, PLAIN: _plainly, "bilinear": bilinear_to_rgb}
    chroma = made_up_chroma(samples)
    tiny = made_up_lightness((256, 256))
    pictures = {name: _canvas(samples, tiny) for name in methods}
    first = {n: cost(method, chroma, tiny, pictures[n], repetitions=1).seconds for n, method in methods.items()}
    filters: dict[str, dict[str, float]] = {}
    if peers:
        python = environment("opencv", "opencv-contrib-python-headless")
        filters = measured_in(python, "benchmarks.peers.guided_filters")
    for size in megapixels:
        height = max(1, round((size * 1e6 * 3 / 4) ** 0.5))
        lightness = made_up_lightness((height, height * 4 // 3))
        out = _canvas(samples, lightness)
        ours = cost(upsample_to_rgb, chroma, lightness, out)
        for name, method in methods.items():
            if name == PLAIN and size > LARGEST_IN_NUMPY:
                continue
            repetitions = 1 if name == PLAIN else 3
            found = ours if name == OURS else cost(method, chroma, lightness, out, repetitions=repetitions)
            off = cv2.absdiff(pictures[name], pictures[OURS])
            yield {
                "megapixels": size,
                "method": name,
                **asdict(found),
                "ratio": found.cpu_seconds / ours.cpu_seconds,
                "first_seconds": first[name],
                "mean_levels_off": float(off.mean()),
                "most_levels_off": float(off.max()),
            }
        for name, each in filters.items():
            seconds, cpu_seconds = (2 * samples * size * each[clock] for clock in ("seconds", "cpu_seconds"))
            ratio = cpu_seconds / ours.cpu_seconds
            yield {"megapixels": size, "method": name, "seconds": seconds, "cpu_seconds": cpu_seconds, "ratio": ratio}


def made_up_chroma(samples: int) -> Floats:
    """Return smooth random (N, 2, 64, 64) a*b*."""
    coarse = np.random.default_rng(0).normal(0, 20, (samples, 2, 8, 8)).astype(np.float32)
    return np.stack([[bilinear(channel, (SMALL, SMALL)) for channel in sample] for sample in coarse])


def bilinear_to_rgb(chroma: Floats, lightness: Floats, out: NDArray[np.uint8]) -> None:
    """Resize each channel bilinearly and convert with OpenCV, which clips colors outside sRGB."""
    lab = np.empty((*lightness.shape, 3), np.float32)
    lab[..., 0] = lightness
    for picture, (a, b) in zip(out, chroma, strict=True):
        lab[..., 1], lab[..., 2] = bilinear(a, lightness.shape), bilinear(b, lightness.shape)
        cv2.convertScaleAbs(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), picture, 255)


def _plainly(chroma: Floats, lightness: Floats, out: NDArray[np.uint8]) -> None:
    out[:] = upsample_to_rgb_plainly(chroma, lightness)


def _canvas(samples: int, lightness: Floats) -> NDArray[np.uint8]:
    return np.full((samples, *lightness.shape, 3), 255, np.uint8)  # written to, so that its memory is not counted later


def _targets(results: Sequence[dict[str, Any]], samples: int) -> Iterator[Target]:
    at_target = {found["method"]: found for found in results if found["megapixels"] == TARGET_MEGAPIXELS}
    if not at_target:
        return
    seconds = at_target[OURS]["seconds"]
    task = f"{TARGET_MEGAPIXELS:g} megapixels × {samples}"
    yield Target(f"{task} in {SECONDS:g} s", f"{seconds:.2f} s", seconds <= SECONDS)
    if JOINT in at_target:
        ratio = at_target[JOINT]["ratio"]
        yield Target(f"{RATIO:g} times OpenCV's joint bilateral filter", f"{ratio:.0f} times", ratio >= RATIO)
    extra = max(found["extra_megabytes"] or 0.0 for found in results if found["method"] == OURS)
    yield Target(f"{EXTRA_MEGABYTES:g} MB beside input and output", f"{extra:.0f} MB", extra <= EXTRA_MEGABYTES)


def main(
    megapixels: Annotated[list[float], typer.Option(help="Megapixels of a photo; may be repeated.")] = list(MEGAPIXELS),  # noqa: B006 - typer copies it
    samples: int = SAMPLES,
    peers: Annotated[bool, typer.Option(help="Also measure peers, which are installed first.")] = True,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    results = list(measure(megapixels, samples, peers))
    write("upsampling", list(_targets(results, samples)), {"samples": samples, "results": results}, json_file)


if __name__ == "__main__":
    typer.run(main)

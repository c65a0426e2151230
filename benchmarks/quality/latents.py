"""`python -m benchmarks.quality.latents`: what the latent tools promise, measured on photos that training never saw.

Photos are squeezed to 256×256, as in benchmarks.quality, and go through the colorizer's door, but for the round trip,
which is measured on latents. Color differences are ΔE76.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.cost import cost
from benchmarks.network import load_colorizer
from benchmarks.quality.collection import square
from benchmarks.quality.measures import pairwise_difference
from benchmarks.quality.measures import rmse as errors
from benchmarks.quality.methods import bits_of, condition_of
from benchmarks.quality.records import as_floats
from benchmarks.report import JsonFile, Target, rows, write
from model.colorizer import CinnColorizer, colorize
from model.device import THREADS
from model.errors import InputError
from model.pixels.color import rgb_to_lab
from model.protocol import DrawTask, Hint, SampleOptions, TransferOptions, VariationOptions
from training.commands import Device, HeldOutPhotos, Weights, errors_printed
from training.data import read_named_photos

__all__ = ["PROMISES", "Promise"]

SEED = 0
STRENGTHS = (0.0, 0.2, 0.5, 1.0)
CANDIDATES = 32
HINTS = 3
N = 4
MAX_PSNR = 100.0

Photo = NDArray[np.uint8]
Figures = dict[str, float]


@dataclass(frozen=True)
class Promise:
    """A measurement of one photo, and what the figures of all photos must be."""

    measure: Callable[[CinnColorizer, Photo, int], Figures]
    photos: int
    report: Callable[[Sequence[Figures]], Figures]
    keeps: Callable[[Figures], bool]
    wanted: str


def round_trip(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Encode colorings, decode and encode their latents again: the error of the latents, and of the likelihood."""
    with torch.no_grad():
        condition = condition_of(colorizer, photo)
        (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(photo), SampleOptions(N, SEED))])
        latents = colorizer.cinn.log_prob(torch.from_numpy(drawn.chroma).to(colorizer.device), condition).latents
        decoded = colorizer.cinn.sample(condition, latents)  # in float32: a CPU may draw in bfloat16
        encoded = colorizer.cinn.log_prob(decoded.chroma, condition)
    again, first = (torch.cat(each, 1).cpu() for each in (encoded.latents, latents))
    routes = [bits_of(each.log_prob, colorizer.cinn.dims) for each in (decoded, encoded)]
    return {
        "latent_error": float(((again - first).norm(dim=1) / first.norm(dim=1)).max()),
        "bits_per_dim_error": float(np.abs(np.stack(routes) - np.array(drawn.bits_per_dim)).max()),
    }


def variation(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Vary a sample: the mean color difference to it at each strength, and whether strength 0 is it to the byte."""
    original = colorize(colorizer, photo, SampleOptions(N, SEED)).images[1]
    figures: Figures = {}
    for strength in STRENGTHS:
        options = VariationOptions(N, SEED, 1, strength, noise_seed=1)
        images = colorize(colorizer, photo, options).images
        figures[f"strength_{strength:g}"] = float(np.mean([difference(image, original) for image in images]))
        if strength == 0:
            figures["identical"] = float(all(np.array_equal(image, original) for image in images))
    distances = [figures[f"strength_{strength:g}"] for strength in STRENGTHS]
    figures["monotone"] = float(all(a < b for a, b in itertools.pairwise(distances)))
    return figures


def self_transfer(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Transfer a photo's own colors to it, all levels copied: the PSNR against the photo, and against a coloring."""
    whole = (1.0,) * len(colorizer.cinn.dims)
    coloring = colorize(colorizer, photo, SampleOptions(1, SEED)).images[0]
    return {
        "psnr": psnr(colorize(colorizer, photo, TransferOptions(1, SEED, whole), photo).images[0], photo),
        "psnr_of_coloring": psnr(
            colorize(colorizer, photo, TransferOptions(1, SEED, whole), coloring).images[0], coloring
        ),
    }


def selection(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Choose 4 of 32 candidates: the mean difference between those chosen, and what choosing costs."""
    plain, diverse = SampleOptions(N, SEED), SampleOptions(N, SEED, candidates=CANDIDATES, select="diverse")
    first, chosen = colorize(colorizer, photo, plain).images, colorize(colorizer, photo, diverse).images
    of_first, of_chosen = mean_pairwise(first), mean_pairwise(chosen)
    return {
        "first": of_first,
        "diverse": of_chosen,
        "diverse_wins": float(of_chosen > of_first),
        "seconds_of_4": cost(colorize, colorizer, photo, plain).seconds,
        "seconds_of_32": cost(colorize, colorizer, photo, diverse).seconds,
    }


def hinting(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Give 3 hints of the true colors, at random points: how well they are met, and what they do elsewhere."""
    generator = np.random.default_rng((SEED, number))
    height, width = photo.shape[:2]
    hints = []
    for y, x in zip(generator.integers(0, height, HINTS), generator.integers(0, width, HINTS), strict=True):
        red, green, blue = photo[y, x].tolist()
        hints.append(Hint((x + 0.5) / width, (y + 0.5) / height, (red, green, blue)))
    plain = colorize(colorizer, photo, SampleOptions(N, SEED))
    task = SampleOptions(N, SEED, hints=tuple(hints))
    took = cost(colorize, colorizer, photo, task, repetitions=1)
    hinted = colorize(colorizer, photo, task)
    rmse_plain, rmse_hinted = rmse(plain.images, photo), rmse(hinted.images, photo)
    return {
        **{f"delta_e_{i}": match.delta_e for i, match in enumerate(itertools.chain(*hinted.matches))},
        "rmse": rmse_plain,
        "rmse_hinted": rmse_hinted,
        "hinted_wins": float(rmse_hinted < rmse_plain),
        "pairwise": mean_pairwise(plain.images),
        "pairwise_hinted": mean_pairwise(hinted.images),
        "seconds": took.seconds,
        "cpu_seconds": took.cpu_seconds,
    }


def difference(a: Photo, b: Photo) -> float:
    """Return the mean ΔE76 between two images."""
    return mean_pairwise(np.stack((a, b)))


def mean_pairwise(images: Photo) -> float:
    """Return the mean ΔE76 over all pairs of (N, H, W, 3) images."""
    return pairwise_difference(rgb_to_lab(as_floats(images).transpose(0, 3, 1, 2)))


def rmse(images: Photo, truth: Photo) -> float:
    """Return the root mean square error over all (N, H, W, 3) images, in hundredths of the sRGB range."""
    return float(100 * np.sqrt(np.square(errors(as_floats(images), as_floats(truth))).mean()))


def psnr(image: Photo, truth: Photo) -> float:
    """Return the peak signal-to-noise ratio in dB; MAX_PSNR for equal images."""
    return min(MAX_PSNR, float(-20 * np.log10(max(rmse(image[None], truth), 1e-9) / 100)))


def _means(photos: Sequence[Figures]) -> Figures:
    return {name: float(np.mean([figures[name] for figures in photos])) for name in photos[0]}


def _worst(photos: Sequence[Figures]) -> Figures:
    return {name: max(figures[name] for figures in photos) for name in photos[0]}


def _report_transfer(photos: Sequence[Figures]) -> Figures:
    lowest = {f"lowest_{name}": min(figures[name] for figures in photos) for name in photos[0]}
    return _means(photos) | lowest | {"above_35_dB": float(np.mean([figures["psnr"] > 35 for figures in photos]))}


def _report_selection(photos: Sequence[Figures]) -> Figures:
    figures = _means(photos)
    return figures | {"cost_ratio": figures["seconds_of_32"] / figures["seconds_of_4"]}


def _report_hinting(photos: Sequence[Figures]) -> Figures:
    distances = [value for figures in photos for name, value in figures.items() if name.startswith("delta_e_")]
    means = {name: value for name, value in _means(photos).items() if not name.startswith("delta_e_")}
    return {
        "median_delta_e": float(np.median(distances)),
        "p90_delta_e": float(np.percentile(distances, 90)),
        **means,
        "most_seconds": max(figures["seconds"] for figures in photos),
    }


PROMISES = {
    "round_trip": Promise(
        round_trip,
        20,
        _worst,
        lambda found: found["latent_error"] < 1e-3 and found["bits_per_dim_error"] < 1e-3,
        "relative error of latents and error of bits per dimension below 1e-3",
    ),
    "variation": Promise(
        variation,
        20,
        _means,
        lambda found: found["identical"] == 1 and _rising([found[f"strength_{s:g}"] for s in STRENGTHS]),
        "strength 0 is the original to the byte, and the mean difference grows with strength",
    ),
    "self_transfer": Promise(
        self_transfer, 20, _report_transfer, lambda found: found["psnr"] > 35, "mean PSNR above 35 dB"
    ),
    "selection": Promise(
        selection,
        100,
        _report_selection,
        lambda found: found["diverse_wins"] >= 0.9 and found["cost_ratio"] < 2,
        "4 of 32 more diverse than 4 of 4 on 90% of photos, at less than twice the cost",
    ),
    "hints": Promise(
        hinting,
        50,
        _report_hinting,
        lambda found: found["median_delta_e"] < 6 and found["hinted_wins"] >= 0.8 and found["seconds"] <= 3,
        "median ΔE below 6, RMSE below that of unhinted samples on 80% of photos, n = 4 in 3 seconds",
    ),
}


def _rising(values: Sequence[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


def _spread(photos: Sequence[Photo], count: int) -> Iterator[Photo]:
    """Yield count photos, evenly from all."""
    count = min(count, len(photos))
    return (photos[i * len(photos) // count] for i in range(count))


def main(
    data: HeldOutPhotos,
    weights: Weights = Path("weights/cinn.safetensors"),
    json_file: JsonFile = None,
    only: Annotated[list[str] | None, typer.Option(help=f"Measure only some of {', '.join(PROMISES)}.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure at most so many photos for each promise.")] = None,
    device: Device = "auto",
) -> None:
    """Measure what the latent tools promise; exit with 1 where a promise is not kept."""
    console = Console(stderr=True)
    with errors_printed():
        unknown = set(only or ()) - set(PROMISES)
        if unknown:
            raise InputError("only", f"some of {list(PROMISES)}", sorted(unknown))
        chosen = {name: PROMISES[name] for name in only or PROMISES}
        colorizer = load_colorizer(weights, device)
        photos = [square(photo) for _, photo in track(read_named_photos(data), "reading", console=console)]
    report: dict[str, object] = {}
    cells: list[tuple[str, str, float]] = []
    targets = []
    for name, promise in chosen.items():
        count = min(promise.photos, limit or promise.photos, len(photos))
        each = [
            promise.measure(colorizer, photo, i)
            for i, photo in enumerate(track(_spread(photos, count), name, total=count, console=console))
        ]
        found = promise.report(each)
        report[name] = {"photos": count, **found}
        cells += [(name, figure, value) for figure, value in found.items()]
        targets.append(Target(f"{name}: {promise.wanted}", f"on {count} photos", promise.keeps(found)))
    table = rows("promise", "figure", "value", title="figures", cells=cells)
    facts = {"weights": colorizer.info.sha256, "device": colorizer.device, "threads": THREADS}
    write("latent tools", targets, report | {"settings": facts}, json_file, [table])


if __name__ == "__main__":
    typer.run(main)

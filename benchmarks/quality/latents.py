"""`python -m benchmarks.quality.latents`: promises of the latent tools, measured on photos that training never saw.

Photos are squeezed to 256×256, as in benchmarks.quality. All tools are measured through the colorizer, except the round
trip, which is measured on latents. Color differences are ΔE76.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import torch
import typer
from numpy.typing import ArrayLike, NDArray
from skimage.segmentation import felzenszwalb

from benchmarks.cost import cost
from benchmarks.network import load_colorizer
from benchmarks.quality import measures
from benchmarks.quality.collection import square
from benchmarks.quality.methods import bits_of, condition_of
from benchmarks.quality.records import as_floats
from benchmarks.report import JsonFile, Target, progress, write
from model.colorizer import CinnColorizer, colorize
from model.options import Hint, SampleOptions, TransferOptions, VariationOptions
from model.pixels.color import lab_to_rgb, rgb_to_lab
from model.pixels.gamut import map_to_gamut
from model.protocol import DrawTask
from training.commands import RELEASED, Device, HeldOutPhotos, Weights, errors_printed
from training.data import read_named_photos

__all__ = ["PROMISES", "pooled"]

SEED = 0
STRENGTHS = (0.0, 0.2, 0.5, 1.0)
CANDIDATES = 32
HINTS = 3
MOST = 0.35
OTHER_HUES, CHROMAS = (1.2, 5.1), (25, 50)
"""Ranges of a new color's hue, in radians from the present one, and of its chroma."""
FAR = 0.1
"""Distance from a thing, as a share of the photo's width, at which pixels should keep their colors."""
N = 4
MAX_PSNR = 100.0

Photo = NDArray[np.uint8]
Figures = Mapping[str, ArrayLike]
"""Values of each figure for one photo"""
Pooled = Mapping[str, NDArray[np.float64]]
"""Values of each figure for all photos"""


class Promise(NamedTuple):
    """A measurement of one photo, and the condition on the figures of all photos."""

    measure: Callable[[CinnColorizer, Photo, int], Figures]
    photos: int
    keeps: Callable[[Pooled], bool | np.bool]
    wanted: str


def round_trip(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Encode colorings, then decode and encode their latents; measure the errors of latents and of likelihoods."""
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
    """Vary a sample; measure the mean color difference at each strength, and whether strength 0 is byte-identical."""
    original = colorize(colorizer, photo, SampleOptions(N, SEED)).images[1]
    varied = [
        colorize(colorizer, photo, VariationOptions(N, SEED, 1, strength, noise_seed=1)).images
        for strength in STRENGTHS
    ]
    distances = [np.mean([mean_pairwise(np.stack((image, original))) for image in images]) for images in varied]
    return {
        **{f"strength_{strength:g}": distance for strength, distance in zip(STRENGTHS, distances, strict=True)},
        "identical": all(np.array_equal(image, original) for image in varied[0]),
        "monotone": _rising(distances),
    }


def self_transfer(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Transfer a photo's own colors to it with all levels copied; measure the PSNR to the photo and to a coloring."""
    options = TransferOptions(1, SEED, (1.0,) * len(colorizer.cinn.dims))
    coloring = colorize(colorizer, photo, SampleOptions(1, SEED)).images[0]
    return {
        name: psnr(colorize(colorizer, photo, options, colors).images[0], colors)
        for name, colors in (("psnr", photo), ("psnr_of_coloring", coloring))
    }


def selection(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Choose 4 of 32 candidates; measure the mean difference between those chosen, and the cost of choosing."""
    plain, diverse = SampleOptions(N, SEED), SampleOptions(N, SEED, candidates=CANDIDATES, select="diverse")
    of_first, of_chosen = (mean_pairwise(colorize(colorizer, photo, options).images) for options in (plain, diverse))
    of_4, of_32 = (cost(colorize, colorizer, photo, options).seconds for options in (plain, diverse))
    return {
        "first": of_first,
        "diverse": of_chosen,
        "diverse_wins": of_chosen > of_first,
        "seconds_of_4": of_4,
        "seconds_of_32": of_32,
    }


def hinting(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Give 3 hints of the true colors at random points; measure the errors at the hints and elsewhere."""
    generator = np.random.default_rng((SEED, number))
    height, width = photo.shape[:2]
    hints = []
    for y, x in zip(generator.integers(0, height, HINTS), generator.integers(0, width, HINTS), strict=True):
        red, green, blue = photo[y, x].tolist()
        hints.append(Hint((x + 0.5) / width, (y + 0.5) / height, (red, green, blue)))
    task = SampleOptions(N, SEED, hints=tuple(hints))
    took = cost(colorize, colorizer, photo, task, repetitions=1)
    tasks = {"plain": SampleOptions(N, SEED), "hinted": task, "exact": replace(task, hint_spread=1.0)}
    drawn = {name: colorize(colorizer, photo, options) for name, options in tasks.items()}
    errors = {name: rmse(each.images, photo) for name, each in drawn.items()}
    return {
        "delta_e": [match.delta_e for match in itertools.chain(*drawn["hinted"].matches)],
        **{f"rmse_{name}": error for name, error in errors.items()},
        "hinted_wins": errors["hinted"] < errors["plain"],
        **{f"pairwise_{name}": mean_pairwise(each.images) for name, each in drawn.items()},
        "seconds": took.seconds,
        "cpu_seconds": took.cpu_seconds,
    }


def recoloring(colorizer: CinnColorizer, photo: Photo, number: int) -> Figures:
    """Give a thing another hue by one hint in its middle, at the default spread and at 1.

    Measures how far its a*b* and those of far pixels move, on average, along the wanted change.
    """
    generator = np.random.default_rng((SEED, number))
    thing = _thing(photo, generator)
    y, x = np.unravel_index(_depth(np.pad(thing, 1))[1:-1, 1:-1].argmax(), thing.shape)
    (before,) = _lab(colorize(colorizer, photo, SampleOptions(1, SEED)).images)
    hue = np.arctan2(before[2, y, x], before[1, y, x]) + generator.uniform(*OTHER_HUES)
    chroma = generator.uniform(*CHROMAS) * np.array([np.cos(hue), np.sin(hue)])
    wished = map_to_gamut(np.array([before[0, y, x], *chroma])[None, :, None])
    red, green, blue = np.rint(255 * lab_to_rgb(wished)[0, :, 0]).astype(int).tolist()
    hint = Hint((x + 0.5) / thing.shape[1], (y + 0.5) / thing.shape[0], (red, green, blue))
    change = wished[0, 1:, 0] - before[1:, y, x]
    far = _depth(~thing) >= FAR * thing.shape[1]
    found: dict[str, ArrayLike] = {"wanted": np.linalg.norm(change)}
    for name, spread in (("default", 0.5), ("exact", 1.0)):
        options = SampleOptions(1, SEED, hints=(hint,), hint_spread=spread)
        moved = (_lab(colorize(colorizer, photo, options).images)[0] - before)[1:]
        along = np.tensordot(change / np.linalg.norm(change), moved, 1)
        found |= {f"thing_{name}": along[thing].mean(), f"far_{name}": along[far].mean() if far.any() else 0.0}
    return found


def _thing(photo: Photo, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Choose a segment with at most MOST of a photo's pixels, or else the smallest.

    Source: Felzenszwalb and Huttenlocher 2004, Efficient Graph-Based Image Segmentation.
    """
    segments = felzenszwalb(photo, scale=300, sigma=0.8, min_size=photo.shape[0] * photo.shape[1] // 50)
    sizes = np.bincount(segments.ravel())
    small = np.flatnonzero(sizes <= max(MOST * segments.size, sizes.min()))
    return np.asarray(segments == generator.choice(small))


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return each pixel's distance from the nearest one outside of a mask."""
    distances = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distances, np.float32)


def _lab(images: Photo) -> NDArray[np.float32]:
    """Return (N, 3, H, W) CIELAB of (N, H, W, 3) sRGB."""
    return rgb_to_lab(as_floats(images).transpose(0, 3, 1, 2))


def mean_pairwise(images: Photo) -> float:
    """Return the mean ΔE76 over all pairs of (N, H, W, 3) images."""
    return measures.pairwise_difference(_lab(images))


def rmse(images: Photo, truth: Photo) -> float:
    """Return the root mean square error over all (N, H, W, 3) images, in hundredths of the sRGB range."""
    return float(100 * np.sqrt(np.square(measures.rmse(as_floats(images), as_floats(truth))).mean()))


def psnr(image: Photo, truth: Photo) -> float:
    """Return the peak signal-to-noise ratio in dB; MAX_PSNR for equal images."""
    return min(MAX_PSNR, float(-20 * np.log10(max(rmse(image[None], truth), 1e-9) / 100)))


PROMISES = {
    "round_trip": Promise(
        round_trip,
        20,
        lambda found: found["latent_error"].max() < 1e-3 and found["bits_per_dim_error"].max() < 1e-3,
        "relative error of latents and error of bits per dimension below 1e-3",
    ),
    "variation": Promise(
        variation,
        20,
        lambda found: found["identical"].all() and _rising([found[f"strength_{s:g}"].mean() for s in STRENGTHS]),
        "strength 0 is byte-identical to the original, and the mean difference grows with strength",
    ),
    "self_transfer": Promise(self_transfer, 20, lambda found: found["psnr"].mean() > 35, "mean PSNR above 35 dB"),
    "selection": Promise(
        selection,
        100,
        lambda found: (
            found["diverse_wins"].mean() >= 0.9 and found["seconds_of_32"].mean() < 2 * found["seconds_of_4"].mean()
        ),
        "4 of 32 more diverse than 4 of 4 on 90% of photos, at less than twice the cost",
    ),
    "hints": Promise(
        hinting,
        50,
        lambda found: (
            np.median(found["delta_e"]) < 6 and found["hinted_wins"].mean() >= 0.8 and found["seconds"].mean() <= 3
        ),
        "median ΔE below 6, RMSE below that of unhinted samples on 80% of photos, n = 4 in 3 seconds",
    ),
    "recoloring": Promise(
        recoloring,
        50,
        lambda found: (
            found["thing_default"].mean() >= found["wanted"].mean() / 2
            and found["far_default"].mean() <= found["wanted"].mean() / 4
        ),
        "a thing takes half of a wanted change of color on average, and pixels far from it at most a quarter",
    ),
}


def pooled(photos: Sequence[Figures]) -> Pooled:
    """Concatenate the values of each figure over all photos."""
    return {name: np.hstack([np.asarray(each[name], np.float64) for each in photos]) for name in photos[0]}


def _rising(values: ArrayLike) -> bool:
    return bool((np.diff(values) > 0).all())


def main(
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    json_file: JsonFile = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of photos for each promise.")] = None,
    device: Device = "auto",
) -> None:
    """Measure the promises of the latent tools; exit with status 1 if one is broken."""
    with errors_printed():
        colorizer = load_colorizer(weights, device)
        photos = [square(photo) for _, photo in progress("reading", read_named_photos(data))]
    rows, targets = [], []
    for name, promise in PROMISES.items():
        count = min(promise.photos, limit or promise.photos, len(photos))
        evenly = [photos[i * len(photos) // count] for i in range(count)]
        found = pooled([promise.measure(colorizer, photo, i) for i, photo in enumerate(progress(name, evenly))])
        for figure, values in found.items():
            quantiles = np.quantile(values, (0, 0.5, 0.9, 1)).tolist()
            summary = zip(("lowest", "median", "90th percentile", "highest"), quantiles, strict=True)
            rows.append({"promise": name, "figure": figure, "mean": values.mean().item(), **dict(summary)})
        targets.append(Target(f"{name}: {promise.wanted}", f"on {count} photos", bool(promise.keeps(found))))
    figures = {"weights": colorizer.info.sha256, "device": colorizer.device, "figures": rows}
    write("latent tools", targets, figures, json_file)


if __name__ == "__main__":
    typer.run(main)

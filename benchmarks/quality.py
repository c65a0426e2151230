"""`python -m benchmarks.quality`: how good the colors are, on photos that training never saw.

Every photo is squeezed to 256×256. Its own lightness is colorized and compared with its own colours. Errors are root
mean squares over the pixels and channels of a photo, in hundredths of the sRGB range, then averaged over the photos; so
is the variance over samples. This is how the paper's authors compute their table (Ardizzone et al. 2019, arXiv
1907.02392, table 3; vislearn/conditional_INNs, colorization_cINN/compare_methods.py).
"""

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.measures import best_of_pixel, colourfulness, rmse, variance
from benchmarks.sheet import write_sheet
from benchmarks.square import square
from model.color import photo_to_lightness
from model.colorizer import CinnColorizer, load_colorizer
from model.errors import InputError, ModelError
from model.protocol import SampleOptions
from model.upsampling import upsample_to_rgb
from training.data import NoPhotosError, read_named_photos

__all__ = ["Subset", "measure"]

SHEET_SAMPLES = 6


@dataclass
class Subset:
    """Sums over the photos of one subset."""

    measures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.measures[name].append(value)

    def mean(self, name: str) -> float:
        return float(np.mean(self.measures[name]))

    def rmse(self, name: str) -> float:
        return 100 * self.mean(name)

    def report(self, samples: int) -> dict[str, float]:
        """Figures of the subset, under the names that the model card uses."""
        return {
            "photos": len(self.measures["bits_per_dim"]),
            "bits_per_dim": self.mean("bits_per_dim"),
            f"best_of_{samples}_pixel": self.rmse("best_pixel"),
            f"best_of_{samples}_photo": self.rmse("best_photo"),
            "best_of_1": self.rmse("first"),
            "temperature_0": self.rmse("zero"),
            "grey": self.rmse("grey"),
            "mean_colour": self.rmse("mean_colour"),
            "variance": 1e4 * self.mean("variance"),
            "colourfulness": self.mean("colourfulness"),
            "colourfulness_truth": self.mean("colourfulness_truth"),
            "colourfulness_share": self.mean("colourfulness") / self.mean("colourfulness_truth"),
        }


def measure(
    colorizer: CinnColorizer, photo: NDArray[np.uint8], samples: int, temperature: float, seed: int
) -> dict[str, float]:
    """Measure one photo, (H, W, 3) sRGB."""
    truth = square(photo)
    images, bits_per_dim = _colorize(colorizer, truth, samples, temperature, seed)
    grey, mean_colour, zero, drawn = images[0], images[1], images[2:3], images[3:]
    target = truth.astype(np.float32) / np.float32(255)
    errors = rmse(drawn, target)
    return {
        "bits_per_dim": bits_per_dim,
        "best_pixel": best_of_pixel(drawn, target),
        "best_photo": float(errors.min()),
        "first": float(errors[0]),
        "zero": float(rmse(zero, target)[0]),
        "grey": float(rmse(grey[None], target)[0]),
        "mean_colour": float(rmse(mean_colour[None], target)[0]),
        "variance": variance(drawn),
        "colourfulness": float(np.mean([colourfulness(image) for image in drawn])),
        "colourfulness_truth": colourfulness(target),
    }


@torch.inference_mode()
def _colorize(
    colorizer: CinnColorizer, truth: NDArray[np.uint8], samples: int, temperature: float, seed: int
) -> tuple[NDArray[np.float32], float]:
    """Return grey, mean colour, temperature 0 and the samples, in that order, and the bits/dim of the truth."""
    cinn = colorizer.cinn
    lightness = photo_to_lightness(truth)
    condition = colorizer.condition(lightness)
    drawn, _ = colorizer.sample(condition, colorizer.draw(SampleOptions(samples, seed), temperature))
    zero, _ = colorizer.sample(condition, [torch.zeros(1, dim) for dim in cinn.dims])
    flat = np.broadcast_to(cinn.chroma_mean.cpu().numpy(), zero[0].shape)
    chroma = np.concatenate((np.zeros_like(zero), flat[None], zero, drawn)).astype(np.float32)
    log_prob = float(colorizer.encode(truth, condition).log_prob.sum())
    images = upsample_to_rgb(chroma, lightness).astype(np.float32) / np.float32(255)
    return images, -log_prob / (np.log(2) * sum(cinn.dims))


def _seed(name: str) -> int:
    """Give every photo latents of its own, always the same."""
    return zlib.crc32(name.encode())


def _sheet_row(
    colorizer: CinnColorizer, photo: NDArray[np.uint8], temperature: float, seed: int
) -> list[NDArray[np.uint8]]:
    truth = square(photo)
    images, _ = _colorize(colorizer, truth, SHEET_SAMPLES, temperature, seed)
    grey, _, zero, *drawn = (255 * images).round().astype(np.uint8)
    return [grey, truth, zero, *drawn]


def _subsets(data: Path) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    """Yield (subset, name, photo); the subset is the first folder of a photo's name."""
    for name, photo in read_named_photos(data):
        folder, _, _ = name.rpartition("/")
        yield folder.split("/")[0] or data.stem, name, photo


def main(
    data: Annotated[Path, typer.Option(exists=True, help="Photos: a tar or a folder; its folders are the subsets.")],
    weights: Annotated[Path, typer.Option(help="Weights to measure.")] = Path("weights/cinn.safetensors"),
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write JSON to this file, - for standard output.")
    ] = None,
    sheet: Annotated[
        list[str] | None, typer.Option(help="Only draw a contact sheet of the photos so named (globs).")
    ] = None,
    sheet_file: Annotated[Path, typer.Option(help="Where the contact sheet goes.")] = Path("out/sheet.png"),
    temperature: Annotated[
        float | None, typer.Option(help="Default: 1 for figures, the model's own for a sheet.")
    ] = None,
    samples: Annotated[int, typer.Option(min=2, help="Samples for each photo.")] = 8,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only the first so many photos of a subset.")] = None,
    exponent: Annotated[
        list[float] | None, typer.Option(help="γ of each level, coarse to fine, in place of the checkpoint's.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Measure the colors of photos whose true colours are known."""
    console = Console(stderr=True)
    try:
        colorizer = load_colorizer(weights, device)
        if exponent:
            if len(exponent) != len(colorizer.cinn.levels):
                raise InputError("exponent", f"{len(colorizer.cinn.levels)} of them", len(exponent))
            checkpoint = replace(colorizer.checkpoint, temperature_exponents=tuple(exponent))
            colorizer = CinnColorizer(checkpoint, colorizer.device)
        if sheet:
            chosen = colorizer.info.default_temperature if temperature is None else temperature
            rows = [
                _sheet_row(colorizer, photo, chosen, _seed(name))
                for name, photo in read_named_photos(data)
                if any(fnmatch(name, pattern) for pattern in sheet)
            ]
            if not rows:
                raise NoPhotosError(f"no photo in {data} is named {' or '.join(sheet)}")
            titles = ["grey", "truth", "temperature 0", *(f"sample {i}, T = {chosen:g}" for i in range(SHEET_SAMPLES))]
            write_sheet(rows, titles, sheet_file)
            console.print(f"{len(rows)} photos: {sheet_file}")
            return
        temperature = 1.0 if temperature is None else temperature
        subsets: dict[str, Subset] = defaultdict(Subset)
        for subset, name, photo in track(_subsets(data), "measuring", console=console):
            if limit is None or len(subsets[subset].measures["bits_per_dim"]) < limit:
                subsets[subset].add(**measure(colorizer, photo, samples, temperature, _seed(name)))
    except (ModelError, NoPhotosError) as error:
        console.print(str(error))
        raise typer.Exit(2) from error
    exponents = list(colorizer.checkpoint.temperature_exponents)
    settings = {
        "samples": samples,
        "temperature": temperature,
        "temperature_exponents": exponents,
        "weights": colorizer.info.sha256,
    }
    report = {name: subset.report(samples) | settings for name, subset in subsets.items()}
    console.print(_table(report))
    if json_file == "-":
        print(json.dumps(report, indent=2))
    elif json_file:
        Path(json_file).write_text(json.dumps(report, indent=2) + "\n")


def _table(report: dict[str, dict[str, object]]) -> Table:
    table = Table("measure", *report)
    for name in next(iter(report.values())):
        cells = (subset[name] for subset in report.values())
        table.add_row(name, *(f"{cell:.4g}" if isinstance(cell, float) else str(cell)[:12] for cell in cells))
    return table


if __name__ == "__main__":
    typer.run(main)

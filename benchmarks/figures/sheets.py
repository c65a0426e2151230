"""Contact sheets of photos drawn by a seed, and of the worst ones: `python -m benchmarks.figures.sheets`.

Each row is a photo squeezed to 256×256: gray, truth, temperature 0, then samples at the default temperature.
The photos are drawn from the data by a seed. With `--failures`, all photos are colorized, and the sheet shows those
whose best sample is farthest from the truth (RMSE in sRGB), the farthest first.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from benchmarks.figures.sheet import draw_sheet
from benchmarks.network import load_colorizer
from benchmarks.quality.collection import seed_of, square
from benchmarks.quality.measures import rmse
from benchmarks.quality.methods import CinnMethod
from benchmarks.quality.records import as_floats
from benchmarks.report import progress
from model.errors import InputError
from model.pixels.color import photo_to_lightness
from model.pixels.upsampling import upsample_to_rgb
from training.commands import RELEASED, Device, HeldOutPhotos, Weights, errors_printed
from training.data import read_named_photos

SAMPLES = 4


class Row(NamedTuple):
    """A photo and its colorings."""

    error: float
    """error of the best sample"""
    name: str
    pictures: list[NDArray[np.uint8]]
    """gray, truth, temperature 0, samples: (256, 256, 3) each"""


def main(
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    photos: Annotated[int, typer.Option(min=1, help="Number of photos to show.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Draws the photos.")] = 0,
    failures: Annotated[bool, typer.Option(help="Show the photos with the largest errors.")] = False,
    out: Annotated[Path, typer.Option(help="File of the sheet.")] = Path("out/sheet.png"),
    device: Device = "auto",
) -> None:
    """Draw a contact sheet, and print the photos' names from top to bottom."""
    with errors_printed():
        if out.suffix.lower() not in Image.registered_extensions():  # fails early, before photos are colorized
            raise InputError("out", "a file of a picture, such as sheet.png", str(out))
        out.parent.mkdir(parents=True, exist_ok=True)
        method = CinnMethod(load_colorizer(weights, device))
        names = [name for name, _ in read_named_photos(data)]
        drawn = names if failures else np.random.default_rng(seed).permutation(names)[:photos].tolist()
        wanted = {name: i for i, name in enumerate(drawn)}
        found = (each for each in read_named_photos(data) if each[0] in wanted)
        rows = [_row(method, *each) for each in progress("colorizing", found, len(wanted))]
    rows.sort(key=lambda row: -row.error if failures else wanted[row.name])
    rows = rows[:photos]
    samples = (f"sample {i}, T = {method.default_temperature:g}" for i in range(SAMPLES))
    titles = ["gray", "truth", "temperature 0", *samples]
    draw_sheet([row.pictures for row in rows], titles).save(out)
    for row in rows:
        print(f"{row.name}  {100 * row.error:.1f}")


def _row(method: CinnMethod, name: str, photo: NDArray[np.uint8]) -> Row:
    truth = square(photo)
    colors = method.colorize(truth, SAMPLES, method.default_temperature, seed_of(name))
    chroma = np.concatenate((0 * colors.zero, colors.zero, colors.drawn))
    gray, zero, *drawn = upsample_to_rgb(chroma, photo_to_lightness(truth))
    error = float(rmse(as_floats(np.stack(drawn)), as_floats(truth)).min())
    return Row(error, name, [gray, truth, zero, *drawn])


if __name__ == "__main__":
    typer.run(main)

"""`python -m benchmarks.figures.pictures`: the pictures of README and docs, made with the released weights.

The photos come with scikit-image: camera (CC0), coffee (CC0), astronaut (NASA, public domain), chelsea (CC0) and rocket
(CC0). No coloring is chosen by hand: all are drawn from one seed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
import typer
from numpy.typing import NDArray
from PIL import Image

from benchmarks.figures.sheet import draw_sheet
from benchmarks.network import load_colorizer
from benchmarks.quality.worn import age
from model.colorizer import CinnColorizer, colorize
from model.options import SampleOptions
from model.pixels.color import lab_to_rgb, lightness_to_gray, photo_to_lightness
from model.pixels.resizing import resize_chroma
from model.protocol import DrawTask
from training.commands import RELEASED

__all__ = ["PICTURES", "gray_of"]

PICTURES = Path("docs/pictures")
STRIP = "camera"
ROWS = ("coffee", "astronaut", "chelsea", "rocket")
TEMPERATURE_ROWS = ("camera", "coffee")
WORN_ROWS = {"camera": "faded", "coffee": "soft", "astronaut": "grainy", "chelsea": "old: faded, soft, grainy"}
SEED = 7
FIRST = SampleOptions(5, SEED)
DIVERSE = SampleOptions(5, SEED, candidates=16, select="diverse")
TEMPERATURES = (0.0, 0.3, 0.7, 0.85, 1.0, 1.2, 1.5)
EACH = 2
"""colorings of each temperature, one above the other"""
SIZES = (8, 16, 32, 64)
SHOWN_LIGHTNESS = 65.0
"""L* at which a*b* are shown alone"""
WIDTH = 260
NARROW = 180
QUALITY = 90


def main() -> None:
    """Write `grey.jpg`, a photo to try the service with, and pictures of colorings, temperatures and levels."""
    colorizer = load_colorizer(RELEASED, "cpu")
    Image.fromarray(_gray("coffee")).save(PICTURES / "grey.jpg", quality=QUALITY)
    _save("strip.jpg", [_colorings(colorizer, STRIP, DIVERSE)])
    _save("colorings.jpg", [_colorings(colorizer, name) for name in ROWS])
    _save("worn.jpg", [_colorings(colorizer, name, wear=wear) for name, wear in WORN_ROWS.items()])
    _temperatures(colorizer)
    _levels(colorizer)


def _colorings(
    colorizer: CinnColorizer, name: str, options: SampleOptions = FIRST, wear: str = "unworn"
) -> list[NDArray[np.uint8]]:
    """Return a gray photo, worn or not, and its colorings."""
    gray = age(_small(_gray(name), WIDTH), wear, np.random.default_rng(SEED))
    return [_rgb(gray), *colorize(colorizer, gray, options).images]


def _temperatures(colorizer: CinnColorizer) -> None:
    """Draw the same latents at several temperatures."""
    rows: list[list[NDArray[np.uint8]]] = []
    for name in TEMPERATURE_ROWS:
        gray = _small(_gray(name), NARROW)
        columns = [colorize(colorizer, gray, SampleOptions(EACH, SEED, each)).images for each in TEMPERATURES]
        rows += ([column[i] for column in columns] for i in range(EACH))
    _save("temperatures.jpg", rows, [f"T = {each:g}" for each in TEMPERATURES])


def _levels(colorizer: CinnColorizer) -> None:
    """Show the a*b* of one coloring after each level, then the coloring with the photo's own lightness."""
    gray = _small(_gray(STRIP), WIDTH)
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(gray), SampleOptions(1, SEED))])
    (coloring,) = colorizer.finish(gray, drawn)
    small = [resize_chroma(drawn.chroma[0].transpose(1, 2, 0), size) for size in SIZES]
    shown = [_shown(cv2.resize(each, gray.shape[::-1], interpolation=cv2.INTER_NEAREST)) for each in small]
    titles = ["gray photo", *(f"a*b* at {size} x {size}" for size in SIZES), "full size"]
    _save("levels.jpg", [[_rgb(gray), *shown, coloring.image]], titles)


def _shown(chroma: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert (H, W, 2) a*b* at a fixed L* to (H, W, 3) sRGB."""
    lightness = np.full_like(chroma[..., :1], SHOWN_LIGHTNESS)
    lab = np.concatenate([lightness, chroma], 2).transpose(2, 0, 1)
    rgb = lab_to_rgb(lab[None]).clip(0, 1)[0].transpose(1, 2, 0)
    return np.rint(255 * rgb).astype(np.uint8)


def gray_of(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert a photo, (H, W, 3) or (H, W), to gray by its lightness, (H, W)."""
    return (255 * lightness_to_gray(photo_to_lightness(photo))).round().astype(np.uint8)


def _gray(name: str) -> NDArray[np.uint8]:
    return gray_of(getattr(skimage.data, name)())


def _rgb(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(gray[..., None], 3, 2)


def _small(gray: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    height = round(gray.shape[0] * width / gray.shape[1])
    return np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.LANCZOS))


def _save(name: str, rows: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str] = ()) -> None:
    draw_sheet(rows, titles or [""] * len(rows[0])).save(PICTURES / name, quality=QUALITY, subsampling=0)


if __name__ == "__main__":
    typer.run(main)

"""`python -m benchmarks.pictures`: the pictures of README and docs, made with the released weights.

The photos come with scikit-image: astronaut (NASA, public domain), chelsea (CC0) and coffee (CC0).
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import skimage.data
import typer
from numpy.typing import NDArray
from PIL import Image

from model.color import lightness_to_grey, photo_to_lightness
from model.colorizer import load_colorizer
from model.protocol import SampleOptions

__all__ = ["PICTURES", "grey_of", "main"]

PICTURES = Path("docs/pictures")
WIDTH = 260
COLORINGS = 4
SEED = 7
QUALITY = 90


def main(
    weights: Annotated[Path, typer.Option(help="Weights to paint with.")] = Path("weights/cinn.safetensors"),
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = PICTURES,
) -> None:
    """Write `grey.jpg`, a photo to try the service with, and `colorings.jpg`: rows of grey and its colorings."""
    out.mkdir(parents=True, exist_ok=True)
    colorizer = load_colorizer(weights, "cpu")
    photos = [skimage.data.coffee(), skimage.data.astronaut(), skimage.data.chelsea()]
    Image.fromarray(grey_of(photos[0])).save(out / "grey.jpg", quality=QUALITY)
    rows = []
    for photo in photos:
        grey = _small(grey_of(photo))
        colorings = colorizer.colorize(grey, SampleOptions(COLORINGS, SEED))
        rows.append(np.hstack([np.repeat(grey[..., None], 3, 2), *colorings.images]))
    Image.fromarray(np.vstack(rows)).save(out / "colorings.jpg", quality=QUALITY)


def grey_of(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey photo of a colour photo's lightness: (H, W, 3) in, (H, W) out."""
    return (255 * lightness_to_grey(photo_to_lightness(photo))).round().astype(np.uint8)


def _small(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = round(grey.shape[0] * WIDTH / grey.shape[1])
    return np.asarray(Image.fromarray(grey).resize((WIDTH, height), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    typer.run(main)

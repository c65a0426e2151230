"""`python -m benchmarks.quality.worn`: loss of quality on worn photos, compared with the same photos unworn.

Photos are squeezed to 256×256, converted to gray and worn in one way. The wear is fixed, unlike the random wear of
training. Distances are root mean squares of a*b* at 64×64 over two samples at the default temperature. They leave out
the outermost five pixels, which a frame covers.
"""

from collections.abc import Callable
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.network import load_colorizer
from benchmarks.quality.bootstrap import mean_and_error
from benchmarks.quality.collection import photos_of_subsets, seed_of, square
from benchmarks.report import JsonFile, progress, write
from model.colorizer import CinnColorizer
from model.options import SampleOptions
from model.pixels.resizing import photo_to_chroma, resize_chroma
from model.protocol import NO_FRAME, Drawn, DrawTask
from training.commands import RELEASED, Device, HeldOutPhotos, Weights, errors_printed

__all__ = ["KINDS", "age", "measure_wear"]

SAMPLES = 2
FRAME = 18
"""Width of a frame in pixels, a little more than four of 64×64."""
INSIDE = np.s_[..., 5:-5, 5:-5]
Gray = NDArray[np.float64]
"""(256, 256), 0…255"""


def _tones(black: float, white: float) -> Callable[[Gray, np.random.Generator], Gray]:
    return lambda gray, rng: black + (white - black) / 255 * gray


def _soften(gray: Gray, rng: np.random.Generator) -> Gray:
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), 1.5), np.float64)


def _add_grain(gray: Gray, rng: np.random.Generator) -> Gray:
    return gray + rng.normal(0, 12, gray.shape)


def _darken_corners(gray: Gray, rng: np.random.Generator) -> Gray:
    y, x = np.mgrid[-1 : 1 : len(gray) * 1j, -1 : 1 : len(gray) * 1j]
    return np.asarray(gray * (1 - (x**2 + y**2) / 4))


def _scratch(gray: Gray, rng: np.random.Generator) -> Gray:
    worn = gray.copy()
    for x in rng.integers(len(gray), size=4):
        worn[:, x : x + 2] = 235
    for y, x in rng.integers(len(gray), size=(40, 2)):
        worn[y : y + 3, x : x + 3] = 235
    return worn


def _frame(tone: float) -> Callable[[Gray, np.random.Generator], Gray]:
    return lambda gray, rng: np.pad(gray[FRAME:-FRAME, FRAME:-FRAME], FRAME, constant_values=tone)


def _age(gray: Gray, rng: np.random.Generator) -> Gray:
    return _add_grain(_tones(90, 200)(_soften(gray, rng), rng), rng)


KINDS: dict[str, Callable[[Gray, np.random.Generator], Gray]] = {
    "unworn": lambda gray, rng: gray,
    "faded": _tones(90, 180),
    "overexposed": _tones(150, 255),
    "underexposed": _tones(0, 80),
    "soft": _soften,
    "grainy": _add_grain,
    "dark corners": _darken_corners,
    "scratched": _scratch,
    "in a white frame": _frame(245),
    "in a black frame": _frame(8),
    "old: faded, soft, grainy": _age,
}


def age(gray: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Wear a (256, 256) gray photo in one of KINDS; kinds of tone, blur and grain take any size."""
    return KINDS[kind](gray.astype(np.float64), rng).clip(0, 255).round().astype(np.uint8)


def measure_wear(colorizer: CinnColorizer, photo: NDArray[np.uint8], seed: int) -> dict[str, dict[str, float]]:
    """Measure colorings of a (256, 256, 3) sRGB photo in every kind of wear."""
    gray, rng = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.random.default_rng(seed)
    worn = [age(np.asarray(gray, np.uint8), kind, rng) for kind in KINDS]
    drawn = colorizer.draw_all([DrawTask(colorizer.shrink(each), SampleOptions(SAMPLES, seed)) for each in worn])
    unworn, true = _whole(drawn[0]), photo_to_chroma(photo, 64).transpose(2, 0, 1)
    return {
        kind: {"to the truth": _distance(chroma, true), "to the unworn": _distance(chroma, unworn)}
        for kind, chroma in zip(KINDS, map(_whole, drawn), strict=True)
    }


def _whole(drawn: Drawn) -> NDArray[np.float32]:
    """Return (N, 2, 64, 64) a*b* of samples, a frame included."""
    if drawn.frame == NO_FRAME:
        return drawn.chroma
    whole = np.zeros((len(drawn.chroma), 256, 256, 2), np.float32)
    rows, columns = drawn.frame.inside(whole.shape[1:])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    for each, chroma in zip(whole, drawn.chroma, strict=True):
        each[rows, columns] = cv2.resize(chroma.transpose(1, 2, 0), size, interpolation=cv2.INTER_LINEAR)
    return np.stack([resize_chroma(each, drawn.chroma.shape[-1]).transpose(2, 0, 1) for each in whole])


def _distance(chroma: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(chroma - other).sum(1)[INSIDE].mean()))


def main(
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    json_file: JsonFile = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of photos per subset.")] = None,
    device: Device = "auto",
) -> None:
    """Measure colorings of worn photos."""
    with errors_printed():
        colorizer = load_colorizer(weights, device)
        photos = progress("measuring", photos_of_subsets(data, limit))
        found = [measure_wear(colorizer, square(photo), seed_of(name)) for _, name, photo in photos]
    wear = [
        {"wear": kind} | {figure: mean_and_error([each[kind][figure] for each in found]) for figure in figures}
        for kind, figures in found[0].items()
    ]
    facts = {"weights": colorizer.info.sha256, "device": colorizer.device, "photos": len(found)}
    write("worn photos", [], {"figures": wear, **facts}, json_file)


if __name__ == "__main__":
    typer.run(main)

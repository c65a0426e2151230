"""The figures of the paper's MNIST experiments, rows of digits, one function each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.figures.sheet import draw_sheet
from model.drawing.latents import draw_latents, interpolate_latents
from research.digits.digits import CLASSES, PIXELS, SIDE, Digits, read_digits
from research.digits.flow import DigitFlow
from research.digits.measure import decode, encode, sample

__all__ = ["FIGURES", "Source", "write_grid"]

COLUMNS = 10
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2)
AXES = 3
WALK = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Steps along an axis, in standard deviations of the test latents"""
ZOOM = 2
GRAYS = 32
"""Gray levels of a figure; fewer levels make smaller files"""


@dataclass(frozen=True)
class Source:
    """Ingredients of a figure."""

    flow: DigitFlow
    data: Path
    """folder of the IDX files; read only if a figure needs real digits"""
    temperature: float
    seed: int

    def test_digits(self) -> Digits:
        return read_digits(self.data, "t10k")


@dataclass(frozen=True)
class Grid:
    """Rows of digits."""

    images: Tensor
    """(R, C, 784) uint8"""
    columns: tuple[str, ...]
    """titles"""
    groups: int = 1
    """number of equal groups of columns, with a gap between them"""


Figure = Callable[[Source], Grid]


def samples(source: Source) -> Grid:
    """Draw ten samples of each class."""
    digits = sample(source.flow, COLUMNS, source.temperature, source.seed)
    return Grid(digits.images.view(CLASSES, COLUMNS, PIXELS), ("",) * COLUMNS)


def temperatures(source: Source) -> Grid:
    """Decode one latent of each class at rising temperatures."""
    (z,) = draw_latents((PIXELS,), (1.0,), source.seed, range(CLASSES))
    scaled = torch.from_numpy(z)[:, None] * torch.tensor(TEMPERATURES)[:, None]
    return Grid(_decode(source.flow, scaled, torch.arange(CLASSES)), tuple(f"T={t:g}" for t in TEMPERATURES))


def transfer(source: Source) -> Grid:
    """Decode the latents of ten test digits under each of the ten classes: other digits in the same handwriting."""
    digits = source.test_digits()
    chosen = _one_of_each(digits, source.seed)
    z = encode(source.flow, chosen, 0.0, source.seed)
    drawn = decode(source.flow, z.repeat_interleave(CLASSES, 0), torch.arange(CLASSES).repeat(len(z)))
    images = torch.cat((chosen.images[:, None], drawn.view(len(z), CLASSES, PIXELS)), 1)
    return Grid(images, ("test", *(str(label) for label in range(CLASSES))))


def axes(source: Source) -> Grid:
    """Walk along the first principal axes of the test latents, in both directions from their mean, for each class.

    Digits have no noise here. With the noise of training, their latents are nearly white, and no axis stands out.
    """
    z = encode(source.flow, source.test_digits(), 0.0, source.seed)
    values, vectors = torch.linalg.eigh((z - z.mean(0)).T @ (z - z.mean(0)) / len(z))
    first = (vectors * values.sqrt())[:, -AXES:].T.flip(0)  # eigh sorts in ascending order
    steps = z.mean(0) + torch.tensor(WALK)[None, :, None] * first[:, None]
    images = _decode(source.flow, steps.flatten(0, 1).expand(CLASSES, -1, -1), torch.arange(CLASSES))
    return Grid(
        images, tuple(f"{step:+g}" if step else f"axis {axis + 1}" for axis in range(AXES) for step in WALK), AXES
    )


def interpolation(source: Source) -> Grid:
    """Interpolate between two test digits of a class, along the spherical path between their latents."""
    digits = source.test_digits()
    positions = [i / (COLUMNS - 1) for i in range(COLUMNS)]
    start, end = (encode(source.flow, _one_of_each(digits, seed), 0.0, seed) for seed in (source.seed, source.seed + 1))
    ends = zip(start.numpy(), end.numpy(), strict=True)
    paths = [torch.from_numpy(interpolate_latents([a[None]], [b[None]], positions)[0]) for a, b in ends]
    titles = ("test", *("",) * (COLUMNS - 2), "test")
    return Grid(_decode(source.flow, torch.stack(paths), torch.arange(CLASSES)), titles)


FIGURES: Mapping[str, Figure] = {
    figure.__name__: figure for figure in (samples, temperatures, transfer, axes, interpolation)
}


def write_grid(grid: Grid, path: Path) -> None:
    """Write a picture of dark digits on white, in the rows of the grid, with titles above the columns."""
    step = 256 // GRAYS
    ink = (255 - (grid.images // step).int() * 255 // (GRAYS - 1)).to(torch.uint8)
    pictures = ink.view(*ink.shape[:2], SIDE, SIDE).repeat_interleave(ZOOM, 2).repeat_interleave(ZOOM, 3).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(list(map(list, pictures)), grid.columns, grid.groups).convert("L").save(path, optimize=True)


def _decode(flow: DigitFlow, z: Tensor, labels: Tensor) -> Tensor:
    """Decode z, (R, C, 784), a row for each of the labels, (R,). Returns (R, C, 784) uint8."""
    rows, columns, _ = z.shape
    return decode(flow, z.reshape(-1, PIXELS), labels.repeat_interleave(columns)).view(rows, columns, PIXELS)


def _one_of_each(digits: Digits, seed: int) -> Digits:
    """Return ten digits, one of each class in order, chosen by the seed."""
    shuffled = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))
    labels = digits.labels[shuffled]
    return digits.part(torch.stack([shuffled[labels == label][0] for label in range(CLASSES)]))

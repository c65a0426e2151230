"""`python -m benchmarks.quality.candidates`: draws for viewers to rate, from which the reward model learns.

Each photo gets several draws. By default, each viewer sees shuffled, numbered pictures: one draw of each photo, and
some other photos in true colors. Other viewers see the photo's other draws. With `--side-by-side`, a row shows all
draws of one photo, which reveals finer differences. Ratings are CSV files with `number` and any of `real` (1 if taken
for a true photo), `stain` (1 if stained) and `score` (higher is better). Put them beside the draws as `ratings-1.csv`
and so on, and give the folder to `python -m training reward`. Viewers must not see the key, nor photos to measure on.
"""

import json
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from benchmarks.network import load_colorizer
from benchmarks.quality.collection import seed_of
from benchmarks.quality.sheets import Picture, begin, draw_sheets, shrink
from benchmarks.report import progress
from model.colorizer import CinnColorizer
from model.drawing.latents import deviations_at, draw_latents
from model.flow.cell_order import DISTILLED_TEMPERATURE
from model.pixels.color import photo_to_lightness
from model.pixels.scaling import paint
from training.commands import RELEASED, Device, Photos, Weights, errors_printed
from training.data import read_named_photos
from training.rated import DRAWS_FILE, KEY_FILE
from training.teacher import densities_of, draw_distilled, draw_guided

LETTERS = "ABCDEFGH"
"""Captions of a row's pictures."""
Shown = tuple[str, int, int | None]
"""Caption, index of the photo, and index of its draw; without a draw (None), index among the true photos."""


class Candidates(NamedTuple):
    """Draws of one photo."""

    pictures: list[Picture]
    photo: NDArray[np.float16]
    """(64, width)"""
    cells: NDArray[np.float32]
    """(K, 64, 2)"""
    densities: NDArray[np.float32]
    """(K, 64, 2); see `RewardModel.forward` for all three"""


def main(
    data: Photos,
    out: Annotated[Path, typer.Option(help="Folder of the draws, the key and each viewer's sheets.")] = Path(
        "out/rated"
    ),
    weights: Weights = RELEASED,
    photos: Annotated[int, typer.Option(min=2, help="Number of photos, chosen by the seed.")] = 432,
    draws: Annotated[int, typer.Option(min=2, max=len(LETTERS), help="Number of draws per photo.")] = 4,
    temperature: Annotated[float, typer.Option(min=0, max=1, help="Of the draws.")] = DISTILLED_TEMPERATURE,
    own_draws: Annotated[
        bool, typer.Option("--own-draws", help="Draw with the distilled decoder, as the service does.")
    ] = False,
    each: Annotated[int, typer.Option(min=2, help="Most draws per viewer.")] = 216,
    true_photos: Annotated[
        int, typer.Option(min=0, help="Other photos that each viewer sees in true colors, if available.")
    ] = 24,
    side_by_side: Annotated[bool, typer.Option(help="Show all draws of a photo in one row.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed for choosing and shuffling photos.")] = 0,
    device: Device = "auto",
) -> None:
    """Draw colorings of photos, and write sheets and a key for rating them."""
    with errors_printed():
        begin(out)  # fails early, before anything is drawn
        colorizer = load_colorizer(weights, device)
        names = [name for name, _ in read_named_photos(data)]
        rng = np.random.default_rng(seed)
        order = rng.permutation(names).tolist()
        wanted = set(order[:photos])
        others = set(order[photos:][: 0 if side_by_side else true_photos]) - wanted
        true, drawn = list[Picture](), list[Candidates]()
        chosen = ((name, photo) for name, photo in read_named_photos(data) if name in wanted | others)
        for name, photo in progress("drawing", chosen, len(wanted | others)):
            if name in others:
                true.append(shrink(photo))
            else:
                drawn.append(_draw(colorizer, photo, own_draws, draws, temperature, seed_of(name)))
        if side_by_side:
            viewers = _rows(len(drawn), draws, each, rng)
        else:
            viewers = _rotations(len(drawn), draws, each, len(true), rng)
        for viewer, shown in enumerate(viewers, 1):
            cells = [
                (caption, true[photo] if draw is None else drawn[photo].pictures[draw])
                for caption, photo, draw in shown
            ]
            draw_sheets(out / f"viewer-{viewer}", cells)
        arrays = {name: np.stack([getattr(each, name) for each in drawn]) for name in Candidates._fields[1:]}
        np.savez(out / DRAWS_FILE, **arrays)  # type: ignore[arg-type] # numpy's stubs
        key = [{caption: None if d is None else [p, d] for caption, p, d in shown} for shown in viewers]
        (out / KEY_FILE).write_text(json.dumps(key))
    print(f"{out}: sheets for {len(viewers)} viewers, {len(true)} true photos in each; ratings go beside {KEY_FILE}")


def _rows(photos: int, draws: int, each: int, rng: np.random.Generator) -> list[list[Shown]]:
    """Give each viewer different photos, each a row of shuffled draws."""
    per_viewer = max(1, each // draws)
    return [
        [
            (f"{row}{letter}", photo, int(draw))
            for row, photo in enumerate(some, 1)
            for letter, draw in zip(LETTERS, rng.permutation(draws), strict=False)
        ]
        for some in _parts(rng.permutation(photos), per_viewer)
    ]


def _rotations(photos: int, draws: int, each: int, true: int, rng: np.random.Generator) -> list[list[Shown]]:
    """Show each photo to as many viewers as it has draws, a different draw to each; show the true photos to all."""
    turns = rng.permutation(photos) % draws
    viewers = list[list[Shown]]()
    for turn in range(draws):
        for some in _parts(rng.permutation(photos), each):
            pictures: list[tuple[int, int | None]] = [(photo, int(turns[photo] + turn) % draws) for photo in some]
            pictures += [(photo, None) for photo in range(true)]
            shuffled = (pictures[i] for i in rng.permutation(len(pictures)))
            viewers.append([(str(number), *picture) for number, picture in enumerate(shuffled, 1)])
    return viewers


def _parts(order: NDArray[np.int64], size: int) -> list[list[int]]:
    """Split into parts of nearly equal size, at most a maximum."""
    return [part.tolist() for part in np.array_split(order, -(-len(order) // size))]


@torch.inference_mode()
def _draw(colorizer: CinnColorizer, photo: Picture, own: bool, draws: int, temperature: float, seed: int) -> Candidates:
    """Draw cells several times, by the distilled decoder or its teacher, and add the details to each draw."""
    cinn, checkpoint, photo = colorizer.cinn, colorizer.checkpoint, shrink(photo)
    small = colorizer.shrink(photo)
    lightness = torch.from_numpy(small.lightness).to(cinn.chroma_mean.device)[None, None]
    told = cinn.condition(lightness)[0]
    several = told.expand(draws, -1, -1)
    draw = draw_distilled if own else draw_guided
    cells = draw(cinn, several, temperature, torch.Generator().manual_seed(seed)).float()
    densities = densities_of(cinn, several, cells)
    level_data = cinn.coarsest.from_rows(cells)
    chroma = (level_data * cinn.chroma_std + cinn.chroma_mean).cpu().numpy()
    deviations = deviations_at(checkpoint.temperature, checkpoint.temperature_exponents)
    _, *fine = draw_latents(cinn.dims, deviations, seed, range(draws))
    (condition,) = colorizer.passes.condition([small.lightness])
    (decoded,) = colorizer.passes.add_details([condition], [chroma], [fine])
    pictures = paint(decoded.chroma, photo_to_lightness(photo), small.frame)
    return Candidates(
        list(pictures), told[0].half().cpu().numpy(), *(part.cpu().numpy() for part in (cells, densities))
    )


if __name__ == "__main__":
    typer.run(main)

"""The best draws of every training photo, made once and kept on disk, from which the distilled decoder learns."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from torch import Tensor

from model.flow.cell_order import DISTILLED_TEMPERATURE
from model.flow.cinn import Cinn
from model.flow.sizes import CELLS, SIDE
from training.dataset import Batch, Dataset, kept_back, read_features, to_device
from training.features import DONE, begun_anew
from training.perception import Perception
from training.teacher import DIVERSITY, TRIES, choose_best, draw_distilled, draw_guided

__all__ = ["MOST_HINTS", "DrawConfig", "DrawnBatch", "DrawnDataset", "build_draws", "choose_hints", "given_cells"]

PHOTOS = 32
"""Photos drawn at once."""
HINTED = 0.2
"""Share of the photos with some given cells, like those of hints."""
SATURATION = 1.1
"""Factor by which true colors are strengthened for comparison with draws: pale draws do not convince."""
MOST_HINTS = 8
"""Maximum given cells of a photo in training."""


class DrawnBatch(NamedTuple):
    """A batch of photos, each with one of its kept draws."""

    photo: Tensor
    """(B, 64, width): see `AutoregressiveLevel.photo_condition`"""
    cells: Tensor
    """(B, 64, 2): standardized a*b*, row by row; on disk (photos, kept draws, 64, 2)"""
    given: Tensor
    """(B, 64): 1 for cells that were given, in true colors"""


class DrawnDataset(Dataset[DrawnBatch]):
    """Photos with their best draws; a batch takes one draw at random. A row is (shard, photo, draw).

    Held-out photos show their best draw.
    """

    def __init__(self, folders: Sequence[Path], held_out: float) -> None:
        """folders: from `build_draws`. held_out: share of photos held out, by which weights are chosen."""
        self._shards = [[np.load(folder / f"{name}.npy", "r") for name in DrawnBatch._fields] for folder in folders]
        rows = [(s, i, 0) for s, (photos, _, _) in enumerate(self._shards) for i in range(len(photos))]
        super().__init__(np.array(rows), kept_back(held_out))

    def _pick(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        _, cells, _ = self._shards[0]
        rows[:, 2] = rng.integers(cells.shape[1], size=len(rows))
        return rows

    def _read(self, rows: NDArray[np.int64]) -> DrawnBatch:
        examples = [(photo[i], cells[i, d], given[i]) for s, i, d in rows for photo, cells, given in [self._shards[s]]]
        return DrawnBatch(*(torch.from_numpy(np.stack(each)).float() for each in zip(*examples, strict=True)))


@dataclass(frozen=True)
class DrawConfig:
    """Settings of the draws from which the distilled decoder learns."""

    own: bool = False
    """draw as the service does, with the distilled decoder, not from guided mixtures"""
    tries: int = TRIES
    """draws of each photo, from which the best are kept"""
    keep: int = 1
    """number of kept draws: the best, and good ones that differ from it"""
    nearness: float = 0.0
    """cost in reward of a distance of 1 from the true colors, in features of the picture; see `Perception`"""
    temperature: float = DISTILLED_TEMPERATURE
    """temperature below 1; above 0.8 and below 0.4, own draws approach those of level 8² itself"""


def build_draws(cinn: Cinn, features: Path, out: Path, config: DrawConfig, seed: int = 0) -> int:
    """Draw each photo of a folder of features, and write the best draws; return the number of photos.

    Keeps a finished folder of the same teacher and configuration; starts any other again.
    """
    teacher = _digest(cinn, config)
    if (out / DONE).exists():
        done = json.loads((out / DONE).read_text())
        if done["teacher"] == teacher:
            return int(done["photos"])
    shutil.rmtree(out, ignore_errors=True)  # from another teacher
    count = int(json.loads((features / DONE).read_text())["photos"])
    with begun_anew(out) as part, ExitStack() as stack:
        files = [stack.enter_context((part / f"{name}.npy").open("wb")) for name in DrawnBatch._fields]
        for arrays in _draw(cinn, features, config, seed):
            for file, array in zip(files, arrays, strict=True):
                if not file.tell():
                    shape = (count, *array.shape[1:])
                    write_array_header_1_0(file, {"descr": array.dtype.str, "fortran_order": False, "shape": shape})
                file.write(array.tobytes())
        (part / DONE).write_text(json.dumps({"photos": count, "teacher": teacher}))
    return count


def _digest(cinn: Cinn, config: DrawConfig) -> str:
    """Return an identifier of a teacher's weights and numbers."""
    parts = [cinn.coarsest, cinn.prior, cinn.reward, *([cinn.distilled] if config.own else [])]
    digest = hashlib.sha256(repr((config, DIVERSITY, SATURATION)).encode())
    for tensor in (value for part in parts for value in part.state_dict().values()):
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def _draw(cinn: Cinn, features: Path, config: DrawConfig, seed: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield the fields of a `DrawnBatch` as stored, for some photos at a time."""
    level, device = cinn.eval().coarsest, cinn.chroma_mean.device
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    perception = Perception().to(device) if config.nearness else None
    for batch in read_features(features, PHOTOS):
        batch = to_device(batch, device)
        photo = level.photo_condition(batch.features, batch.lightness)
        true = cinn.pyramid(batch.chroma)[0]
        hinted = torch.from_numpy(choose_hints(len(true), rng)).to(device)
        given = given_cells(true, hinted)
        photos, known = (each.repeat_interleave(config.tries, 0) for each in (photo, given))
        draw = draw_distilled if config.own else draw_guided
        cells = draw(cinn, photos, config.temperature, generator, known)
        costs = config.nearness * _distances(perception, cinn, batch, true, cells) if perception else None
        best = choose_best(cinn, photos, cells, config.tries, known, config.keep, costs)
        best = best.float().view(len(photo), config.keep, CELLS, 2)
        yield tuple(part.cpu().numpy() for part in (photo.half(), best, hinted))


def _distances(perception: Perception, cinn: Cinn, batch: Batch, true: Tensor, cells: Tensor) -> Tensor:
    """Return the perceptual distance of draws from a photo's own colors, strengthened: (N,).

    true: (B, 2, 8, 8) level data. cells: (N, 64, 2) standardized, row by row: all draws of a photo, one after another.
    """
    tries = len(cells) // len(true)
    drawn, true = (data * cinn.chroma_std + cinn.chroma_mean for data in (cinn.coarsest.from_rows(cells.float()), true))
    distances = list[Tensor]()
    for lightness, draws, own in zip(*map(torch.split, (batch.lightness, drawn, true), (1, tries, 1)), strict=True):
        looks = perception(lightness.expand(tries, -1, -1, -1), draws)
        distances.append((looks - perception(lightness, SATURATION * own)).norm(dim=1))
    return torch.cat(distances)


def choose_hints(rows: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the given cells of each photo, (rows, 64)."""
    given = np.zeros((rows, CELLS), bool)
    for row in given:
        if rng.random() < HINTED:
            row[rng.permutation(CELLS)[: rng.integers(1, MOST_HINTS + 1)]] = True
    return given


def given_cells(true: Tensor, hinted: Tensor) -> Tensor:
    """Return level data of given cells, NaN elsewhere. true: (B, 2, 8, 8); hinted: (B, 64)."""
    return true.masked_fill(~hinted.view(-1, 1, SIDE, SIDE), torch.nan)

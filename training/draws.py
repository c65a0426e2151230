"""Draws of every training photo, made once and kept on disk.

The distilled decoder learns from the best of each, the judge from all and what the reward model says of them.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.flow.cell_order import DISTILLED_TEMPERATURE
from model.flow.cinn import Cinn
from model.flow.haar import pyramid
from model.flow.sizes import CELLS, SIDE
from training.dataset import ArrayDataset, read_features
from training.features import DONE, begun_anew
from training.rated import RatedBatch
from training.teacher import TRIES, densities_of, draw_distilled, draw_guided

__all__ = ["MOST_HINTS", "DrawConfig", "DrawnBatch", "DrawnDataset", "JudgedDataset", "build_draws"]

PHOTOS = 32
"""Photos that are drawn at once."""
HINTED = 0.2
"""Share of the photos of which some cells are given, as hints do."""
MOST_HINTS = 8
"""Most cells of a photo that training gives."""


class DrawnBatch(NamedTuple):
    """A batch of photos, each with its best draw."""

    photo: Tensor
    """(B, 64, width): see `AutoregressiveLevel.photo_condition`"""
    cells: Tensor
    """(B, 64, 2): standardized a*b*, row by row"""
    given: Tensor
    """(B, 64): 1 for cells that were given, in true colors"""

    def to(self, device: torch.device) -> Self:
        """Move it to a device."""
        return type(self)(*(part.to(device) for part in self))


class DrawnDataset(ArrayDataset[DrawnBatch]):
    """Photos with their best draws."""

    def __init__(self, folders: Sequence[Path], held_out: float) -> None:
        """folders: of `build_draws`. held_out: share of the photos kept back to choose by."""
        super().__init__(DrawnBatch, _read(folders, DrawnBatch), held_out)


class JudgedDataset(ArrayDataset[RatedBatch]):
    """Photos with all their draws, which the reward model has rated."""

    def __init__(self, folders: Sequence[Path], held_out: float) -> None:
        """folders: of `build_draws` with `keep_all`. held_out: share of the photos kept back to choose by."""
        super().__init__(RatedBatch, _read(folders, RatedBatch), held_out)


@dataclass(frozen=True)
class DrawConfig:
    """How the draws are made that the distilled decoder learns from."""

    own: bool = False
    """draw as the service does, with the distilled decoder, in place of guided mixtures"""
    tries: int = TRIES
    """draws of each photo, of which the best is kept"""
    temperature: float = DISTILLED_TEMPERATURE
    """below 1; above 0.8 and below 0.4, own draws go over to those of level 8² itself"""
    keep_all: bool = False
    """keep all draws with their rewards, in place of the best"""


def build_draws(cinn: Cinn, features: Path, out: Path, config: DrawConfig, seed: int = 0) -> int:
    """Draw each photo of a folder of features, and write the best draw of each, or all; return how many photos it has.

    A finished folder of the same teacher and configuration is kept, any other begun anew.
    """
    teacher = _digest(cinn, config)
    if (out / DONE).exists():
        done = json.loads((out / DONE).read_text())
        if done["teacher"] == teacher:
            return int(done["photos"])
    shutil.rmtree(out, ignore_errors=True)  # of another teacher
    batch = RatedBatch if config.keep_all else DrawnBatch
    with begun_anew(out) as part:
        batches = list(_draw(cinn, features, config, seed))
        for name in batch._fields:
            np.save(part / f"{name}.npy", np.concatenate([each[name] for each in batches]))
        count = sum(len(each["photo"]) for each in batches)
        (part / DONE).write_text(json.dumps({"photos": count, "teacher": teacher}))
    return count


def _read(folders: Sequence[Path], batch: type[NamedTuple]) -> dict[str, NDArray[np.generic]]:
    return {name: np.concatenate([np.load(folder / f"{name}.npy") for folder in folders]) for name in batch._fields}


def _digest(cinn: Cinn, config: DrawConfig) -> str:
    """Return what tells a teacher's weights and numbers from others."""
    parts = [cinn.coarsest, cinn.prior, cinn.reward, *([cinn.distilled] if config.own else [])]
    digest = hashlib.sha256(repr(config).encode())
    for tensor in (value for part in parts for value in part.state_dict().values()):
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def _draw(cinn: Cinn, features: Path, config: DrawConfig, seed: int) -> Iterator[dict[str, NDArray[np.generic]]]:
    level, device = cinn.eval().coarsest, cinn.chroma_mean.device
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    for batch in read_features(features, PHOTOS):
        batch = batch.to(device)
        photo = level.photo_condition(batch.features, batch.lightness)
        true = pyramid((batch.chroma - cinn.chroma_mean) / cinn.chroma_std, len(cinn.details))[0]
        hinted = torch.from_numpy(_choose_hints(len(true), rng)).to(device)
        given = true.masked_fill(~hinted.view(-1, 1, SIDE, SIDE), torch.nan)
        photos, known = (each.repeat_interleave(config.tries, 0) for each in (photo, given))
        draw = draw_distilled if config.own else draw_guided
        cells = draw(cinn, photos, config.temperature, generator, known)
        densities = densities_of(cinn, photos, cells, known)
        rewards = cinn.reward(photos, cells, densities)
        cells, densities, votes = (each.unflatten(0, (-1, config.tries)) for each in (cells, densities, rewards))
        seen = {"photo": photo.half(), "given": hinted}
        if config.keep_all:
            found = seen | {"cells": cells.half(), "densities": densities.half(), "votes": votes.float()}
        else:
            found = seen | {"cells": cells[torch.arange(len(cells)), votes.argmax(1)].float()}
        yield {name: each.cpu().numpy() for name, each in found.items()}


def _choose_hints(rows: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which cells of each photo are given, (rows, 64)."""
    given = np.zeros((rows, CELLS), bool)
    for row in given:
        if rng.random() < HINTED:
            row[rng.permutation(CELLS)[: rng.integers(1, MOST_HINTS + 1)]] = True
    return given

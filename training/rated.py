"""Draws of the coarsest level with people's ratings, from which the reward model learns.

A folder holds `draws.npz` and `key.json`, as `python -m benchmarks.quality.candidates` writes them, and the ratings of
its viewers: `ratings-1.csv` of the first, and so on. True photos among the pictures have no draw in the key; they
show viewers what is real, and their ratings are not used.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import InputError
from training.data import NoPhotosError
from training.dataset import Dataset, kept_back

__all__ = ["DRAWS_FILE", "KEY_FILE", "RatedBatch", "RatedDataset", "read_rows", "read_votes"]

DRAWS_FILE, KEY_FILE, RATINGS_FILE = "draws.npz", "key.json", "ratings-{}.csv"
SIGNS = {"real": 1, "stain": -1, "score": 1}
"""Columns of a ratings file that count, besides `number`; each is standardized over its viewer's draws.

Some may be missing. Other columns do not count: a rare sign, such as one tone over the whole picture, would move the
few pictures that have it by more than all other signs.
"""


class RatedBatch(NamedTuple):
    """A batch of photos, each with K draws."""

    photo: Tensor
    """(B, 64, width): see `AutoregressiveLevel.photo_condition`"""
    cells: Tensor
    """(B, K, 64, 2): standardized a*b*, row by row"""
    densities: Tensor
    """(B, K, 64, 2): see `RewardModel.forward`"""
    votes: Tensor
    """(B, K): mean rating of a draw, in standard deviations of its viewers' ratings; NaN without ratings"""


class RatedDataset(Dataset[RatedBatch]):
    """Photos with rated draws."""

    def __init__(self, folders: Sequence[Path], held_out: float) -> None:
        """held_out: share of photos held out, by which weights are chosen.

        Raises InputError for ratings that do not fit the key, NoPhotosError for too few photos with two rated draws.
        """
        found = [(np.load(folder / DRAWS_FILE), read_votes(folder)) for folder in folders]
        votes = np.concatenate([votes for _, votes in found])
        counted = np.isfinite(votes).sum(1) > 1
        if not counted.any():
            wanted = f"{RATINGS_FILE.format(1)} and so on beside {KEY_FILE}"
            raise NoPhotosError(f"no photo with two rated draws, too few to train on: ratings are {wanted}")
        super().__init__(np.arange(counted.sum()), kept_back(held_out))
        parts = [np.concatenate([draws[name] for draws, _ in found])[counted] for name in RatedBatch._fields[:-1]]
        self._arrays = (*parts, votes[counted].astype(np.float32))

    @property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for array in self._arrays:
            digest.update(array.tobytes())
        return digest.hexdigest()

    def _read(self, rows: NDArray[np.int64]) -> RatedBatch:
        return RatedBatch(*(torch.from_numpy(array[rows]).float() for array in self._arrays))


def read_votes(folder: Path) -> NDArray[np.float64]:
    """Return a folder's ratings of each draw, (P, K), NaN without ratings; see `RatedBatch`.

    Viewers may have rated only some draws. Raises InputError for numbers that are missing from the key or given twice,
    and for values that are not finite.
    """
    viewers: list[dict[str, tuple[int, int] | None]] = json.loads((folder / KEY_FILE).read_text())
    sums, counts = np.zeros((2, *np.load(folder / DRAWS_FILE)["cells"].shape[:2]))
    for viewer, key in enumerate(viewers, 1):
        path = folder / RATINGS_FILE.format(viewer)
        if not path.exists():
            continue
        numbers, values = _read(path)
        if not set(numbers) <= set(key):
            raise InputError("ratings", f"numbers of {folder / KEY_FILE}", sorted(set(numbers) - set(key))[0])
        draws = [(draw, row) for number, row in zip(numbers, values, strict=True) if (draw := key[number]) is not None]
        if len(draws) < 2:
            continue  # nothing to compare with
        rows = np.stack([row for _, row in draws])
        votes = ((rows - rows.mean(0)) / rows.std(0).clip(1e-6)).mean(1)
        for (draw, _), vote in zip(draws, votes, strict=True):
            sums[tuple(draw)] += vote
            counts[tuple(draw)] += 1
    return np.where(counts > 0, sums / counts.clip(1), np.nan)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV from a spreadsheet, with a byte order mark and remarks in any encoding, without its empty rows."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        return [row for row in csv.DictReader(file) if any(row.values())]


def _read(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Read one viewer's ratings: the numbers, and (N, columns) values; higher is better."""
    rows = read_rows(path)
    names = [name for name in SIGNS if rows and name in rows[0]]
    if not names or "number" not in rows[0]:
        raise InputError("ratings", f"a CSV with number and some of {', '.join(SIGNS)}", str(path))
    try:
        values = np.array([[SIGNS[name] * float(row[name] or "") for name in names] for row in rows])
    except ValueError as error:
        raise InputError("ratings", "numbers", f"{error} in {path}") from error
    if not np.isfinite(values).all():
        raise InputError("ratings", "finite numbers", f"others in {path}")
    number, count = Counter(row["number"] for row in rows).most_common(1)[0]
    if count > 1:
        raise InputError("ratings", f"every number once in {path}", number)
    return [row["number"] for row in rows], values

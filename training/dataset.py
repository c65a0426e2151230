"""Batches of condition features, lightness and chroma, from folders written by `training.features`."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import InputError
from model.flow.condition import ConditionFeatures
from model.flow.constants import FEATURE_CHANNELS
from model.pixels.resizing import SHARPEST, resize_lightness
from training.data import NoPhotosError
from training.features import DONE, STEPS_PER_STD
from training.processes import Share
from training.wear import wear

__all__ = [
    "Batch",
    "Dataset",
    "FeatureDataset",
    "PhotoBatch",
    "PhotoDataset",
    "kept_back",
    "read_features",
    "to_device",
]

WORN = 0.2
"""Share of the photos passed to `wear`, which leaves a fifth of them unchanged."""
TYPES = {**dict.fromkeys(FEATURE_CHANNELS, np.int8), "lightness": np.uint8, "chroma": np.float16}


BatchT = TypeVar("BatchT", covariant=True)
Pixels = NDArray[Any]
"""(H, W) of L*, or (H, W, 2) of a*b*"""


def to_device(batch: Any, device: torch.device) -> Any:
    """Move a field of a batch to a device: a tensor, a named tuple of tensors, or an object with `to`."""
    if isinstance(batch, tuple):
        return type(batch)(*(to_device(part, device) for part in batch))
    return batch.to(device)


def kept_back(share: float) -> slice:
    """Return the held-out examples, evenly spread, because neighbors in a folder are often alike."""
    every = max(2, round(1 / share))
    return slice(every - 1, None, every)


class Dataset(ABC, Generic[BatchT]):
    """The examples of a training loop; each row of an array locates one."""

    def __init__(self, rows: NDArray[np.int64], kept: slice) -> None:
        """kept: held-out examples, by which weights are chosen; the last example if the slice is empty.

        Raises NoPhotosError for too few examples.
        """
        index = np.arange(len(rows))
        held_out = index[kept] if len(index[kept]) else index[-1:]
        self.train, self.held_out = np.delete(rows, held_out, 0), rows[held_out]
        if not len(self.train):
            raise NoPhotosError(f"only {len(rows)} usable photos: too few to train on")

    def batches(self, size: int, rng: np.random.Generator, share: Share = Share(), skip: int = 0) -> Iterator[BatchT]:
        """Yield endless shuffled batches of equal size, or a process's share of each.

        skip: number of batches that a run has already had; the next ones are as if it had not stopped.
        """
        while True:
            order = rng.permutation(len(self.train))
            for start in range(0, len(order) - size + 1, size):
                rows = self._pick(self.train[order[start : start + size]], rng)
                if skip:
                    skip -= 1
                else:
                    yield self._read(rows[share.rows])

    def held_out_batches(self, size: int) -> Iterator[BatchT]:
        """Yield the held-out examples, in order."""
        for start in range(0, len(self.held_out), size):
            yield self._read(self.held_out[start : start + size])

    def _pick(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the random choices for examples."""
        return rows

    @abstractmethod
    def _read(self, rows: NDArray[np.int64]) -> BatchT: ...


class Batch(NamedTuple):
    """A batch of photos, as features."""

    features: ConditionFeatures
    lightness: Tensor
    """(B, 1, 128, 128), L* in [0, 100]"""
    chroma: Tensor
    """(B, 2, 64, 64), a*b*"""


class ViewDataset(Dataset[BatchT]):
    """Photos in one or more views each; a batch takes one view at random.

    A row is (shard, view, photo). Held-out photos are seen in their first view.
    """

    def __init__(self, folders: Sequence[Sequence[Path]], held_out: float) -> None:
        """folders: for each data path, its views. held_out: share of photos held out, by which weights are chosen.

        Raises InputError for incomplete arrays and for views of different photos, NoPhotosError for too few photos.
        """
        self.shards = [[_open(view) for view in views] for views in folders]
        for paths, views in zip(folders, self.shards, strict=True):
            counts = [len(view["chroma"]) for view in views]
            if len({*counts}) > 1:  # photos came or went between two views
                expected = "the same photos in each view; a new folder begins anew"
                raise InputError("data", expected, f"{counts} photos in {paths[0].parent}")
        rows = [(s, 0, i) for s, views in enumerate(self.shards) for i in range(len(views[0]["chroma"]))]
        super().__init__(np.array(rows), kept_back(held_out))

    def _pick(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        rows[:, 1] = rng.integers(0, [len(self.shards[s]) for s in rows[:, 0]])
        return rows


class FeatureDataset(ViewDataset[Batch]):
    """Photos as features."""

    def _read(self, rows: NDArray[np.int64]) -> Batch:
        return _batch([(self.shards[s][view], i) for s, view, i in rows])


class PhotoBatch(NamedTuple):
    """A batch of photos, as the lightness that h sees."""

    lightness: Tensor
    """(B, 1, 256, 256), L* in [0, 100]"""
    chroma: Tensor
    """(B, 2, 64, 64), a*b*"""


class PhotoDataset(ViewDataset[PhotoBatch]):
    """Photos as lightness, half of them mirrored and some of them worn; held-out ones unchanged."""

    def _pick(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        return np.column_stack((super()._pick(rows, rng), rng.integers(2**32, size=len(rows))))

    def _read(self, rows: NDArray[np.int64]) -> PhotoBatch:
        examples = [self._example(*row) for row in rows.tolist()]
        lightness, chroma = (np.stack(each) for each in zip(*examples, strict=True))
        return PhotoBatch(torch.from_numpy(lightness)[:, None], torch.from_numpy(chroma).movedim(-1, 1))

    def _example(self, shard: int, view: int, photo: int, seed: int | None = None) -> tuple[Pixels, Pixels]:
        """Return L* and a*b* of a photo; unchanged without a seed."""
        arrays = self.shards[shard][view]
        lightness, chroma = (arrays[name][photo].astype(np.float32) for name in PhotoBatch._fields)
        lightness = lightness[..., 0] / 2.55
        if seed is None:
            return lightness, chroma
        rng = np.random.default_rng(seed)
        if rng.random() < 0.5:
            lightness, chroma = lightness[:, ::-1], chroma[:, ::-1]
        if rng.random() < WORN:
            small = cv2.resize(lightness, (SHARPEST, SHARPEST), interpolation=cv2.INTER_AREA)
            worn = wear(small, rng)
            if worn is not small:
                lightness = resize_lightness(worn)
        return lightness, chroma


def read_features(folder: Path, size: int) -> Iterator[Batch]:
    """Yield all photos of one folder of `training.features`, in order."""
    view = _open(folder)
    count = len(view["chroma"])
    for start in range(0, count, size):
        yield _batch([(view, i) for i in range(start, min(start + size, count))])


def _batch(rows: Sequence[tuple[Mapping[str, NDArray[np.generic]], int]]) -> Batch:
    """Read rows, each a photo in one view."""

    def stack(name: str) -> Tensor:
        array = torch.from_numpy(np.stack([view[name][i] for view, i in rows]))
        return array.movedim(-1, 1) if array.dim() == 4 else array

    features = ConditionFeatures(**{name: stack(name).float() / STEPS_PER_STD for name in FEATURE_CHANNELS})
    return Batch(features, stack("lightness").float() / 2.55, stack("chroma").float())


def _open(folder: Path) -> dict[str, NDArray[np.generic]]:
    """Open a folder's arrays. Raises InputError if one is incomplete."""
    done = json.loads((folder / DONE).read_text())
    try:
        return {
            name: np.memmap(folder / f"{name}.raw", TYPES[name], "r").reshape(done["photos"], *shape)
            for name, shape in done["shapes"].items()
        }
    except ValueError as error:
        raise InputError("features", "whole arrays, which no other process is writing", str(folder)) from error

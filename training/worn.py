"""Pairs of a photo's lightness, worn and original, from which h learns to see through wear."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.pixels.color import rgb_to_lab
from model.pixels.resizing import SHARPEST, resize_lightness
from training.data import read_photos
from training.dataset import Dataset, kept_back
from training.features import DONE, begun_anew
from training.wear import wear

__all__ = ["WornBatch", "WornDataset", "build_lightness"]

Pixels = NDArray[Any]
"""(H, W) of float32"""

FRAMED = 0.25
"""Share of the photos that get a frame, like prints and scans."""


class WornBatch(NamedTuple):
    """A batch of photos as lightness, L* in [0, 100]; each field is (B, 1, 256, 256)."""

    worn: Tensor
    whole: Tensor
    """without wear; mirrored into the area of a frame"""
    shown: Tensor
    """1 for the photo, 0 for a frame"""


class WornDataset(Dataset[WornBatch]):
    """Photos with new wear for each batch; a row is (shard, photo, seed of the wear)."""

    def __init__(self, folders: Sequence[Path], held_out: float) -> None:
        """folders: from `build_lightness`. held_out: share of photos held out, by which weights are chosen."""
        self.shards = [
            np.memmap(folder / "lightness.raw", np.uint8, "r").reshape(-1, SHARPEST, SHARPEST) for folder in folders
        ]
        rows = [(s, i, i) for s, photos in enumerate(self.shards) for i in range(len(photos))]
        super().__init__(np.array(rows), kept_back(held_out))

    def _pick(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        rows[:, 2] = rng.integers(2**32, size=len(rows))
        return rows

    def _read(self, rows: NDArray[np.int64]) -> WornBatch:
        pairs = [self._pair(self.shards[s][i], np.random.default_rng(seed)) for s, i, seed in rows]
        return WornBatch(*(torch.from_numpy(np.stack(each))[:, None] for each in zip(*pairs, strict=True)))

    def _pair(self, levels: NDArray[np.uint8], rng: np.random.Generator) -> tuple[Pixels, Pixels, Pixels]:
        whole: Pixels = levels[:, :: rng.choice((-1, 1))] / np.float32(2.55)
        framed, shown = whole, np.ones_like(whole)
        if rng.random() < FRAMED:
            sides = rng.integers(2, SHARPEST // 8, 4) if rng.random() < 0.5 else [rng.integers(2, SHARPEST // 8)] * 4
            top, bottom, left, right = (int(each) for each in sides)
            around = (top, bottom, left, right)
            size = (SHARPEST - left - right, SHARPEST - top - bottom)
            inside = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
            tone = rng.uniform(75, 100) if rng.random() < 0.6 else rng.uniform(0, 15)
            framed = cv2.copyMakeBorder(inside, *around, cv2.BORDER_CONSTANT, value=tone)
            shown = cv2.copyMakeBorder(np.ones_like(inside), *around, cv2.BORDER_CONSTANT, value=0)
            whole = cv2.copyMakeBorder(inside, *around, cv2.BORDER_REFLECT)
        worn = resize_lightness(wear(framed, rng))
        return worn, resize_lightness(whole), cv2.resize(shown, worn.shape)


def build_lightness(path: Path, out: Path) -> int:
    """Write the lightness of each photo of a data path, as sharp as the network sees it; return their number.

    Keeps a finished folder and starts an unfinished one again. Raises NoPhotosError if no photo can be read.
    """
    if (out / DONE).exists():
        return int(json.loads((out / DONE).read_text())["photos"])
    count = 0
    with begun_anew(out) as part:
        with (part / "lightness.raw").open("wb") as file:
            for photo in read_photos(path):
                small = cv2.resize(photo, (SHARPEST, SHARPEST), interpolation=cv2.INTER_AREA)
                lightness = rgb_to_lab(small.transpose(2, 0, 1)[None] / np.float32(255))[0, 0]
                file.write((lightness * 2.55).round().astype(np.uint8).tobytes())
                count += 1
        (part / DONE).write_text(json.dumps({"photos": count}))
    return count

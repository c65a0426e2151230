"""Condition features of every training photo, computed once and kept on disk.

h is frozen while the flow trains, and costs more than the flow's coarse levels do, so its features are stored as int8
(step 1/24 of a channel's standard deviation, far below the noise that training adds) in memory-mapped arrays.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from model.condition import ConditionNetwork
from training.data import is_near_grey, make_example, read_photos

__all__ = ["FeatureStatistics", "build_features", "measure_statistics"]

STEPS_PER_STD = 24
DETAIL_SIZE = 128
"""Size at which the lightness itself is kept, for the network on L*."""
BATCH = 8  # h is fastest on a CPU where a batch's activations stay in the cache
FIELDS = ("at_32", "at_16", "at_8", "at_1")


class FeatureStatistics(NamedTuple):
    """Mean and standard deviation of each channel of h, for each of its resolutions."""

    mean: dict[str, NDArray[np.float32]]
    std: dict[str, NDArray[np.float32]]


def _compute(network: ConditionNetwork, lightness: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    batch = torch.from_numpy(np.stack(lightness))[:, None].contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        features = network(batch)
    return [(f.permute(0, 2, 3, 1) if f.dim() == 4 else f).float().numpy() for f in features]


def measure_statistics(network: ConditionNetwork, path: Path, photos: int = 512) -> FeatureStatistics:
    """Measure h's channels on the first photos of a data path."""
    batches: list[list[NDArray[np.float32]]] = []
    lightness: list[NDArray[np.float32]] = []
    for photo in read_photos(path):
        lightness.append(make_example(photo).lightness)
        if len(lightness) == BATCH:
            batches.append(_compute(network, lightness))
            lightness = []
        if len(batches) * BATCH >= photos:
            break
    if lightness:
        batches.append(_compute(network, lightness))
    joined = {name: np.concatenate(parts) for name, parts in zip(FIELDS, zip(*batches, strict=True), strict=True)}
    axes = {name: tuple(range(array.ndim - 1)) for name, array in joined.items()}
    return FeatureStatistics(
        {name: array.mean(axes[name]) for name, array in joined.items()},
        {name: array.std(axes[name]) + 1e-3 for name, array in joined.items()},
    )


def build_features(
    network: ConditionNetwork, statistics: FeatureStatistics, path: Path, out: Path, view: int, seed: int = 0
) -> int:
    """Write one view of each photo of a data path to a folder of arrays; return how many photos it holds.

    View 0 shows whole photos, every other view a random crop, half of them mirrored. A finished folder is kept.
    """
    if (out / "done.json").exists():
        return int(json.loads((out / "done.json").read_text())["photos"])
    part = out.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files = {name: (part / f"{name}.raw").open("wb") for name in (*FIELDS, "lightness", "chroma")}
    rng = np.random.default_rng((seed, view))
    pending: list[NDArray[np.float32]] = []
    shapes: dict[str, list[int]] = {}
    photos = 0

    def write(name: str, array: NDArray[np.generic]) -> None:
        shapes[name] = [*array.shape[1:]]
        files[name].write(np.ascontiguousarray(array).tobytes())

    def flush() -> None:
        for name, array in zip(FIELDS, _compute(network, pending), strict=True):
            scaled = (array - statistics.mean[name]) / statistics.std[name] * STEPS_PER_STD
            write(name, scaled.round().clip(-127, 127).astype(np.int8))
        pending.clear()

    for photo in read_photos(path):
        if is_near_grey(photo):
            continue
        example = make_example(photo, rng if view else None)
        small = cv2.resize(example.lightness, (DETAIL_SIZE, DETAIL_SIZE), interpolation=cv2.INTER_AREA)
        write("lightness", (small * 2.55).round().astype(np.uint8)[None, :, :, None])
        write("chroma", example.chroma.astype(np.float16)[None])
        pending.append(example.lightness)
        photos += 1
        if len(pending) == BATCH:
            flush()
    if pending:
        flush()
    for file in files.values():
        file.close()
    (part / "done.json").write_text(json.dumps({"photos": photos, "shapes": shapes}))
    part.rename(out)
    return photos

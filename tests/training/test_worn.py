"""Wear of photos, and training of h for worn photos."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from model.flow.weights_file import open_weights
from model.pixels.resizing import SHARPEST, resize_lightness
from tests.networks import TINY, changed_parts
from training.loop import LoopConfig
from training.objectives.worn import WornObjective
from training.run import RunConfig, run_worn
from training.wear import wear
from training.worn import WornBatch, WornDataset, build_lightness


@pytest.fixture(scope="module")
def lightness(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lightness") / "all"
    assert build_lightness(photos, folder) == 26
    return folder


@pytest.fixture(scope="module")
def cinn() -> Cinn:
    """A tiny network with the released h."""
    cinn, tensors = Cinn(TINY), open_weights(Path("weights/cinn.safetensors")).tensors()
    own = {name: torch.from_numpy(tensors[f"network.{name}"]) for name in cinn.network.state_dict()}
    cinn.network.load_state_dict(own)
    return cinn


def test_wear_is_random_and_still_shows_the_photo() -> None:
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    photo = 50 + 30 * np.sin(x / 9) * np.cos(y / 7)
    worn = [wear(photo, np.random.default_rng(seed)) for seed in range(60)]
    assert all(each.shape == photo.shape and each.dtype == np.float32 for each in worn)
    assert all(each.min() >= 0 and each.max() <= 100 for each in worn)
    assert 2 < sum(np.array_equal(each, photo) for each in worn) < 25
    likeness = [np.corrcoef(each.ravel(), photo.ravel())[0, 1] for each in worn]
    assert np.median(likeness) > 0.9
    assert min(likeness) > 0.2
    assert np.array_equal(wear(photo, np.random.default_rng(3)), worn[3])


def test_pairs_show_one_photo_twice(lightness: Path) -> None:
    dataset = WornDataset([lightness], 0.2)
    batch = next(dataset.batches(8, np.random.default_rng(0)))
    assert batch.worn.shape == batch.whole.shape == batch.shown.shape == (8, 1, 256, 256)
    assert not torch.equal(batch.worn, batch.whole)
    held_out = [next(dataset.held_out_batches(8)) for _ in range(2)]
    assert torch.equal(held_out[0].worn, held_out[1].worn)
    photos = np.fromfile(lightness / "lightness.raw", np.uint8).reshape(-1, SHARPEST, SHARPEST) / np.float32(2.55)
    wholes = {resize_lightness(view).tobytes() for each in photos for view in (each, each[:, ::-1])}
    framed = (batch.shown == 0).any(3).any(2)[:, 0]
    assert all((each.numpy().tobytes() in wholes) != bool(f) for each, f in zip(batch.whole[:, 0], framed, strict=True))
    assert 0 < framed.sum() < 8
    assert (batch.shown[:, :, 64:-64, 64:-64] == 1).all()


def test_h_learns_to_see_through_wear(
    monkeypatch: pytest.MonkeyPatch, cinn: Cinn, photos: Path, lightness: Path, tmp_path: Path
) -> None:
    """One kind of wear is enough to learn in a few steps."""
    monkeypatch.setattr("training.worn.wear", lambda lightness, rng: cv2.GaussianBlur(lightness, (0, 0), 2))
    weights = tmp_path / "before.safetensors"
    save_checkpoint(Checkpoint(cinn, "before", 0.8, (1.0, 2.0, 3.0, 4.0)), weights)
    config = RunConfig(photos, tmp_path / "out", held_out=0.1, init=weights, name="robust")
    loop = LoopConfig(steps=3, batch=4, learning_rate=1e-4, matrix_learning_rate=0, warmup_steps=1, ema_decay=0.5)
    path = run_worn(config, loop)
    assert path
    found, before = load_checkpoint(path), load_checkpoint(weights)
    assert found.name == "robust"
    assert changed_parts(before.cinn, found.cinn) == {"network"}
    objective = WornObjective(before.cinn)
    (batch,) = WornDataset([lightness], 0.1).held_out_batches(2)
    losses = []
    for each in (before.cinn, found.cinn):
        objective.module.load_state_dict(each.network.state_dict())
        with torch.no_grad():
            losses.append(objective.held_out(batch, torch.Generator()).mean(0))
    assert (losses[1] < losses[0]).all()


def test_wear_is_a_loss_and_frames_are_not(cinn: Cinn, lightness: Path) -> None:
    """Before training, the loss covers only the photo inside its frame, at every feature size."""

    def losses(worn: Tensor, shown: Tensor) -> Tensor:
        with torch.no_grad():
            return objective.held_out(WornBatch(worn, batch.whole, shown), torch.Generator())

    objective = WornObjective(copy.deepcopy(cinn))
    batch = next(iter(WornDataset([lightness], 0.2).held_out_batches(4)))
    of_wear = losses(batch.worn, batch.shown)
    assert of_wear.shape == (4, 2)
    assert (losses(batch.whole, batch.shown) < of_wear.mean(0) / 50).all()
    half, other = torch.zeros_like(batch.shown), batch.whole.clone()
    half[..., :128], other[..., 128:] = 1, 20
    part, all_of_it = (losses(other, shown).mean(0) for shown in (half, torch.ones_like(half)))
    assert (part < 0.7 * all_of_it).all()

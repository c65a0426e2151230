"""Thinning of finer levels: they keep the most important channels, and learn the wide levels' outputs."""

import copy
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint
from model.flow.cinn import Cinn
from model.flow.config import DetailConfig
from model.flow.detail_level import DetailCondition, DetailLevel
from tests.networks import TINY, changed_parts, draw, generator
from training.dataset import FeatureDataset
from training.loop import LoopConfig
from training.objectives.details import REGRESSION, level_losses
from training.objectives.thinned import ThinnedObjective
from training.run import RunConfig, run_thin
from training.thinning import thin

THIN = tuple(replace(each, width=3, joint_width=4) for each in TINY.details)


@pytest.fixture
def cinn(tiny_checkpoint: Checkpoint) -> Cinn:
    return copy.deepcopy(tiny_checkpoint.cinn)


def outputs(cinn: Cinn) -> list[Tensor]:
    """Return latents of synthetic a*b* at each finer level."""
    found = []
    for i, level in enumerate(cinn.details):
        size = level.config.size
        photo, coarser = (draw(2, c, s, s, seed=i, dtype=torch.float32) for c, s in ((8, size), (2, size // 2)))
        details = draw(2, *level.data_shape, seed=9 + i, dtype=torch.float32)
        found.append(level(details, level.sample_condition(photo, coarser))[0])
    return found


def mute(cinn: Cinn, details: tuple[DetailConfig, ...]) -> None:
    """Silence random hidden channels, so that as many are left as thinner levels have."""
    rng = np.random.default_rng(0)
    for level, config in zip(cinn.details, details, strict=True):
        for block in level.joint:
            block.last.weight[:, rng.permutation(8)[config.joint_width :]] = 0
        for subnet in level.subnets:
            subnet.middle.weight[:, rng.permutation(6)[config.width :]] = 0
            subnet.last.weight[:, rng.permutation(6)[config.width :]] = 0


def test_what_carries_nothing_goes(cinn: Cinn) -> None:
    """Removing silent channels does not change the function; removing others does."""
    before = outputs(cinn)
    assert not all(torch.allclose(*pair, atol=1e-4) for pair in zip(before, outputs(thin(cinn, THIN)), strict=True))
    mute(cinn, THIN)
    muted, thinner = outputs(cinn), thin(cinn, THIN)
    for of_wide, of_thin in zip(muted, outputs(thinner), strict=True):
        assert_close(of_thin, of_wide, rtol=1e-4, atol=1e-4)
    assert changed_parts(cinn, thinner) == {"details"}
    assert sum(p.numel() for p in thinner.details.parameters()) < sum(p.numel() for p in cinn.details.parameters())


def test_what_is_learned_is_likelihood_and_what_was_lost(cinn: Cinn, features: Path) -> None:
    """If only silent channels were removed, the loss is only that of the finer levels."""
    (batch,) = FeatureDataset([[features]], 0.5).held_out_batches(100)
    seen, lost = [], []

    def spy(level: DetailLevel, condition: DetailCondition, details: Tensor) -> tuple[Tensor, Tensor]:
        losses = level_losses(level, condition, details)
        seen.append(losses[0] + REGRESSION * losses[1])
        return losses

    barely = tuple(replace(each, width=5, joint_width=7) for each in TINY.details)
    mute(cinn, barely)
    for details in (barely, THIN):
        seen.clear()
        with patch("training.objectives.thinned.level_losses", spy):
            objective = ThinnedObjective(thin(cinn, details), cinn)
            losses = objective.held_out(batch, generator())
        assert_close(objective.held_out(batch, generator()), losses, rtol=0, atol=0)
        assert losses.shape == (len(batch.chroma), 3)
        lost.append(losses[0] - torch.stack(seen))
    assert_close(lost[0], torch.zeros(3), rtol=0, atol=1e-3)
    assert (lost[1] > 1e-2).all()


def test_thin_levels_learn(cinn: Cinn, tiny_file: Path, few_photos: Path, kept: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = RunConfig(few_photos, out, views=1, held_out=0.2, init=tiny_file, name="thin", features=kept)
    loop = LoopConfig(steps=5, batch=8, learning_rate=3e-3, matrix_learning_rate=0, warmup_steps=1, ema_decay=0.8)
    path = run_thin(config, THIN, loop)
    assert path
    found = load_checkpoint(path)
    assert found.name == "thin"
    assert found.cinn.config == replace(TINY, details=THIN)
    (batch,) = FeatureDataset([[kept / f"{few_photos.name}-0"]], 0.2).held_out_batches(4)
    before, after = (
        ThinnedObjective(thinner.eval(), cinn).held_out(batch, generator())[0]
        for thinner in (thin(cinn, THIN), found.cinn)
    )
    assert (after < before).all()


def test_a_second_process_writes_no_result(
    tiny_file: Path, few_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.processes.Processes.first", False)
    config = RunConfig(few_photos, tmp_path / "run", views=1, held_out=0.2, init=tiny_file)
    assert run_thin(config, THIN, LoopConfig(steps=1, batch=8, matrix_learning_rate=0))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"features"}  # this process's share of the features


WRONG = {
    "one level less": THIN[:2],
    "another number of blocks": (replace(THIN[0], blocks=1), *THIN[1:]),
    "wider": (replace(THIN[0], width=7), *THIN[1:]),
    "as wide": TINY.details,
}


@pytest.mark.parametrize("details", WRONG.values(), ids=WRONG)
def test_levels_have_to_become_thinner_and_nothing_else(cinn: Cinn, details: tuple[DetailConfig, ...]) -> None:
    with pytest.raises(InputError):
        thin(cinn, details)

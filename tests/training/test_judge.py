"""The judge's training: it learns to say of the service's own draws what the reward model says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from tests.networks import TINY, spread
from training.draws import DrawConfig, JudgedDataset
from training.loop import LoopConfig
from training.objectives.reward import RewardObjective
from training.run import JUDGE, RunConfig, run_judge

LOOP = LoopConfig(batch=8, steps=120, learning_rate=2e-3, ema_decay=0.9, warmup_steps=5, checkpoint_steps=40)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network without a judge, whose reward model goes by the colors alone."""
    cinn = Cinn(replace(TINY, judge=None))
    spread(cinn.coarsest, cinn.prior, cinn.distilled, cinn.reward, gain=1.0)
    for layer in (cinn.reward.fit, cinn.reward.densities):
        torch.nn.init.zeros_(layer.weight)
    path = tmp_path / "start" / "cinn.safetensors"
    path.parent.mkdir()
    save_checkpoint(Checkpoint(cinn, "start", 0.8, (1.0, 2.0, 3.0, 4.0)), path)
    return path


def test_it_learns_what_the_reward_model_says(weights: Path, photos: Path, tmp_path: Path) -> None:
    draws = DrawConfig(tries=4, temperature=0.85)
    config = RunConfig(photos, tmp_path / "run", 1, draws=draws, init=weights, name="judged", held_out=0.25)
    path = run_judge(config, LOOP)
    assert path is not None
    trained, before = load_checkpoint(path), load_checkpoint(weights)
    assert (trained.name, trained.cinn.config) == ("judged", replace(before.cinn.config, judge=JUDGE))
    others = {name: value for name, value in trained.cinn.state_dict().items() if not name.startswith("judge.")}
    assert others.keys() == before.cinn.state_dict().keys()
    assert all(torch.equal(value, before.cinn.state_dict()[name]) for name, value in others.items())
    dataset = JudgedDataset([tmp_path / "run" / "draws" / photos.stem], 0.25)
    batches = [dataset._read(dataset.train), *dataset.held_out_batches(8)]
    assert trained.cinn.judge
    said = [RewardObjective(trained.cinn.judge.eval()).rewards(batch).detach().numpy() for batch in batches]
    for word, batch in zip(said, batches, strict=True):
        votes = batch.votes.numpy()
        centered = [(each - each.mean(1, keepdims=True)).ravel() for each in (word, votes)]
        assert np.corrcoef(*centered)[0, 1] > 0.5
    assert run_judge(replace(config, init=path, out=tmp_path / "again"), replace(LOOP, steps=1)) is not None


def test_it_needs_weights_to_start_from(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="init"):
        run_judge(RunConfig(photos, tmp_path / "run", 1), LOOP)

"""Baselines: each learns, samples by its laws, and comes back from disk."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from typer.testing import CliRunner

from model.errors import CheckpointError, InputError
from model.flow.checkpoint import Checkpoint
from model.flow.condition import ConditionFeatures
from training.__main__ import app
from training.baselines.checkpoint import BaselineColorizer, load_baseline, save_baseline
from training.baselines.decoder import DecoderConfig
from training.baselines.networks import BASELINES
from training.baselines.train import BaselineTrainer, train_baseline
from training.dataset import FeatureDataset
from training.loop import LoopConfig
from training.run import RunConfig

TINY = DecoderConfig(widths=(16, 12, 8), blocks=1, dropout=0.0, latent_channels=2)
GENERATIVE = [name for name, baseline in BASELINES.items() if baseline.has_latent]


def trainer(name: str, made_up: Path) -> BaselineTrainer:
    torch.manual_seed(0)
    colorizer = BaselineColorizer(name, TINY)
    colorizer.chroma_std.fill_(20)
    colorizer.baseline.learning_rate = 3e-3
    dataset = FeatureDataset([[made_up]], held_out=0.2)
    return BaselineTrainer(colorizer, dataset, LoopConfig(batch=8, warmup_steps=1))


def steps(loop: BaselineTrainer, count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = loop.dataset.batches(8, np.random.default_rng(0))
    for _ in range(count):
        loop.take_step(next(batches), generator)


def random_colorizer(name: str) -> BaselineColorizer:
    """Return one whose parameters are all off their start."""
    colorizer, draws = BaselineColorizer(name, TINY), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in colorizer.parameters():
            p.copy_(torch.randn(p.shape, generator=draws) * (0.7 / max(p[0].numel(), 1) ** 0.5))
    colorizer.chroma_std.fill_(20)
    return colorizer.eval().requires_grad_(False)


def draw(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def lightness() -> Tensor:
    return torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(7)) * 100


@pytest.mark.parametrize("name", BASELINES)
def test_training_lowers_the_held_out_loss(name: str, made_up: Path) -> None:
    loop = trainer(name, made_up)
    before = loop.evaluate()
    steps(loop, 40)
    assert loop.skipped == 0
    assert loop.evaluate() < before - 0.01


@pytest.mark.parametrize("name", BASELINES)
def test_every_parameter_gets_a_gradient_from_its_player(name: str, made_up: Path) -> None:
    loop = trainer(name, made_up)
    steps(loop, 3)  # for last convolutions start at zero, and pass nothing on
    batch = next(iter(loop.dataset.held_out_batches(8)))
    batch = batch._replace(features=ConditionFeatures(*(torch.randn_like(feature) for feature in batch.features)))
    unmoved = []
    for player, module in loop.players.items():
        loop.baseline.zero_grad()
        loop.baseline.loss(player, batch, batch.chroma / 20, torch.Generator().manual_seed(0)).backward()
        unmoved += [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert unmoved == []


def test_regression_learns_the_mean_of_two_modes_and_the_vae_both(made_up: Path) -> None:
    spreads = {}
    for name in ("regression", "cvae"):
        loop = trainer(name, made_up)
        steps(loop, 100)
        loop.baseline.eval()
        batch = next(iter(loop.dataset.held_out_batches(8)))
        with torch.no_grad():
            drawn = [loop.baseline.paint(batch, draw(8, seed)) for seed in range(8)]
        spreads[name] = torch.stack(drawn).std(0)[:, 0].mean().item()
    # The two a* lie one standard deviation on either side of their mean.
    assert spreads["regression"] == 0
    assert spreads["cvae"] > 0.3


@pytest.mark.parametrize("name", GENERATIVE)
def test_colorings_depend_on_their_own_latent_alone(name: str, lightness: Tensor) -> None:
    colorizer, z = random_colorizer(name), draw(3)
    together = colorizer.sample(lightness, z)
    assert together.shape == (3, 2, 64, 64)
    assert (together[0] - together[1]).abs().mean() > 1
    for i in range(3):
        # Batches of another size may take other kernels, whose last bits differ.
        assert_close(colorizer.sample(lightness, z[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-3)
    same = colorizer.sample(lightness, 0 * z)
    assert_close(same[0], same[1])


def test_regression_has_one_coloring(lightness: Tensor) -> None:
    drawn = random_colorizer("regression").sample(lightness, draw(3))
    assert drawn.shape == (3, 2, 64, 64)
    assert torch.equal(drawn[0], drawn[2])
    assert drawn.std() > 1


@pytest.mark.parametrize("name", BASELINES)
def test_weights_come_back_from_disk(name: str, lightness: Tensor, tmp_path: Path) -> None:
    colorizer = random_colorizer(name)
    save_baseline(colorizer, tmp_path / "it.safetensors")
    loaded = load_baseline(tmp_path / "it.safetensors")
    assert (loaded.name, loaded.config) == (name, TINY)
    # float16 keeps 11 bits of each of the parameters.
    assert_close(loaded.sample(lightness, draw(2)), colorizer.sample(lightness, draw(2)), rtol=2e-2, atol=0.5)


def test_a_cinn_is_no_baseline(tiny_weights: Path) -> None:
    with pytest.raises(CheckpointError, match="expected tintflow-baseline-regression"):
        load_baseline(tiny_weights)


def test_training_goes_on_from_its_state(made_up: Path, tmp_path: Path) -> None:
    first, second = trainer("cgan", made_up), trainer("cgan", made_up)
    first.config = second.config = LoopConfig(batch=8, minutes=0.005)
    assert first.train(tmp_path / "state.pt")
    second.train(tmp_path / "state.pt")  # its minutes are over
    assert second.step == first.step > 0
    for name, p in first.baseline.named_parameters():
        assert_close(second.baseline.get_parameter(name), p)


def test_a_turn_that_is_not_finite_is_missed_and_counted(made_up: Path) -> None:
    loop = trainer("cvae", made_up)
    before = {name: p.clone() for name, p in loop.baseline.named_parameters()}
    batch = next(iter(loop.dataset.held_out_batches(8)))
    loop.take_step(batch._replace(chroma=batch.chroma * math.nan), torch.Generator().manual_seed(0))
    assert (loop.step, loop.skipped) == (1, 1)
    for name, p in loop.baseline.named_parameters():
        assert torch.equal(p, before[name])


def test_a_baseline_takes_h_and_features_of_a_cinn(
    made_up: Path, tiny_weights: Path, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "shard-0").symlink_to(made_up)
    (tmp_path / "shard.tar").touch()  # whose features are there already
    run = RunConfig(
        tmp_path / "shard.tar", tmp_path / "out", 0.005, views=1, init=tiny_weights, features=tmp_path / "features"
    )
    path = train_baseline("regression", run, TINY, LoopConfig(batch=8))
    assert path == tmp_path / "out" / "regression.safetensors"
    loaded = load_baseline(path)
    assert loaded.config == TINY
    assert_close(loaded.network.top.weight, tiny_checkpoint.cinn.network.top.weight.half().float())
    assert_close(loaded.chroma_std, tiny_checkpoint.cinn.chroma_std)


def test_unknown_names_and_states_of_another_run_are_refused(made_up: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="regression or cvae or cgan"):
        train_baseline("diffusion", RunConfig(made_up, tmp_path, 0.01))
    (tmp_path / "cvae.pt").touch()
    result = CliRunner().invoke(app, ["baseline", "cvae", "--data", str(made_up), "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--resume" in result.stderr

"""Rivals: training, laws of sampling, and files."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from model.errors import CheckpointError, InputError
from model.flow.checkpoint import Checkpoint
from model.flow.condition import ConditionFeatures
from research.rivals.__main__ import app
from research.rivals.checkpoint import RivalColorizer, load_rival, save_rival
from research.rivals.decoder import DecoderConfig
from research.rivals.networks import RIVALS
from research.rivals.train import make_trainer, train_rival
from tests import networks
from tests.loops import steps, stop_after
from tests.networks import generator, spread
from tests.programs import run
from training.dataset import Batch, FeatureDataset
from training.loop import LoopConfig, Trainer
from training.run import RunConfig

TINY = DecoderConfig(widths=(16, 12, 8), blocks=1, dropout=0.0, latent_channels=2)
LIGHTNESS = torch.rand(1, 1, 256, 256, generator=generator(7)) * 100
GENERATIVE = [name for name, rival in RIVALS.items() if rival.has_latent]


def trainer(name: str, made_up: Path, **settings: float) -> tuple[RivalColorizer, Trainer[Batch]]:
    torch.manual_seed(0)
    colorizer = RivalColorizer(name, TINY)
    colorizer.chroma_std.fill_(20)
    colorizer.rival.learning_rate = 3e-3
    dataset = FeatureDataset([[made_up]], held_out=0.2)
    return colorizer, make_trainer(colorizer, dataset, replace(LoopConfig(batch=8, warmup_steps=1), **settings))


def random_colorizer(name: str) -> RivalColorizer:
    """Return a colorizer with all parameters moved from their initial values."""
    colorizer = RivalColorizer(name, TINY)
    spread(colorizer, gain=0.7)
    colorizer.chroma_std.fill_(20)
    return colorizer.eval().requires_grad_(False)


def draw(count: int, seed: int = 0) -> Tensor:
    return networks.draw(count, 2, 8, 8, seed=seed, dtype=torch.float32)


@pytest.mark.parametrize(("name", "count"), [("regression", 20), ("cvae", 80), ("cgan", 30)])
def test_training_lowers_the_held_out_loss_and_the_vae_learns_both_of_two_modes(
    name: str, count: int, made_up: Path
) -> None:
    colorizer, loop = trainer(name, made_up)
    (before,) = loop.evaluate()
    steps(loop, count)
    assert loop.history.skipped == 0
    assert loop.evaluate()[0] < before - 0.05
    batch = next(iter(loop.dataset.held_out_batches(8)))
    with torch.no_grad():
        drawn = [colorizer.rival.paint(batch, draw(8, seed)) for seed in range(8)]
    of_a = torch.stack(drawn).std(0)[:, 0].mean().item()
    # Regression learns the mean of the two a*, each one standard deviation away from it.
    assert {"regression": of_a == 0, "cvae": of_a > 0.3, "cgan": of_a > 0}[name]


@pytest.mark.parametrize("name", RIVALS)
def test_every_parameter_gets_a_gradient_from_its_player(name: str, made_up: Path) -> None:
    colorizer, loop = trainer(name, made_up)
    steps(loop, 3)  # last convolutions start at zero, and pass no gradient on
    batch = next(iter(loop.dataset.held_out_batches(8)))
    batch = batch._replace(features=ConditionFeatures(*(torch.randn_like(feature) for feature in batch.features)))
    unmoved = []
    for player, module in colorizer.rival.players().items():
        colorizer.rival.zero_grad()
        colorizer.rival.loss(player, batch, batch.chroma / 20, generator()).backward()
        unmoved += [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert unmoved == []


@pytest.mark.parametrize("name", GENERATIVE)
def test_colorings_depend_on_their_own_latent_alone(name: str) -> None:
    colorizer, z = random_colorizer(name), draw(3)
    together = colorizer.sample(LIGHTNESS, z)
    assert together.shape == (3, 2, 64, 64)
    assert (together[0] - together[1]).abs().mean() > 1
    for i in range(3):
        # A batch of another size may use another kernel, whose last bits differ.
        assert_close(colorizer.sample(LIGHTNESS, z[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-3)
    same = colorizer.sample(LIGHTNESS, 0 * z)
    assert_close(same[0], same[1])


@pytest.mark.parametrize("name", RIVALS)
def test_weights_come_back_from_disk(name: str, tmp_path: Path) -> None:
    colorizer = random_colorizer(name)
    save_rival(colorizer, tmp_path / "it.safetensors")
    loaded = load_rival(tmp_path / "it.safetensors")
    assert (loaded.name, loaded.config) == (name, TINY)
    # float16 keeps 11 bits of each of the parameters.
    assert_close(loaded.sample(LIGHTNESS, draw(2)), colorizer.sample(LIGHTNESS, draw(2)), rtol=2e-2, atol=0.5)


def test_a_cinn_is_no_rival(tiny_weights: Path) -> None:
    with pytest.raises(CheckpointError, match="expected tintflow-rival-regression"):
        load_rival(tiny_weights)


def test_a_run_of_two_players_that_was_stopped_goes_on_to_the_same_weights(
    made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped after an evaluation, then before the next one; at the end, it is in its second epoch."""
    whole, *parts = (trainer("cgan", made_up, steps=5, checkpoint_steps=2) for _ in range(4))
    assert whole[1].train(tmp_path / "whole.pt")
    for (_, stopped), step in zip(parts, (2, 3), strict=False):
        stop_after(stopped, step, monkeypatch)
        assert not stopped.train(tmp_path / "state.pt")
        assert stopped.history.step == step
    resumed = parts[2]
    assert resumed[1].train(tmp_path / "state.pt")
    assert resumed[1].history.losses == whole[1].history.losses
    for name, p in whole[0].rival.named_parameters():
        assert torch.equal(resumed[0].rival.get_parameter(name), p), name


@pytest.mark.parametrize("spoiled", ["painter", "discriminator"])
def test_a_player_that_misses_its_turn_does_not_keep_the_other_from_its_own(
    spoiled: str, made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colorizer, loop = trainer("cgan", made_up)
    rival = colorizer.rival
    before = {name: p.clone() for name, p in rival.named_parameters()}
    loss = rival.loss
    monkeypatch.setattr(rival, "loss", lambda name, *rest: loss(name, *rest) * (math.nan if name == spoiled else 1))
    steps(loop, 1)
    assert (loop.history.step, loop.history.skipped) == (1, 1)
    moved = {name for name, p in rival.named_parameters() if not torch.equal(p, before[name])}
    other = "discriminator." if spoiled == "painter" else "decoder."
    assert moved
    assert all(name.startswith(other) for name in moved)


def test_a_rival_takes_h_and_features_of_a_cinn(
    made_up: Path, tiny_weights: Path, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "shard-0").symlink_to(made_up)
    Image.fromarray(skimage.data.chelsea()).save(tmp_path / "shard.png")  # its features exist already
    config = RunConfig(
        tmp_path / "shard.png", tmp_path / "out", views=1, init=tiny_weights, features=tmp_path / "features"
    )
    path = train_rival("regression", config, LoopConfig(minutes=0.005, batch=8), TINY)
    assert path == tmp_path / "out" / "regression.safetensors"
    loaded = load_rival(path)
    assert loaded.config == TINY
    assert_close(loaded.network.top.weight, tiny_checkpoint.cinn.network.top.weight.half().float())
    assert_close(loaded.chroma_std, tiny_checkpoint.cinn.chroma_std)


def test_unknown_names_and_states_of_another_run_are_refused(made_up: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="regression or cvae or cgan"):
        train_rival("diffusion", RunConfig(made_up, tmp_path), LoopConfig())
    (tmp_path / "cvae.pt").touch()
    assert "--resume" in run(app, "train", "cvae", "--data", made_up, "--out", tmp_path, status=2).stderr


def test_rivals_are_measured_beside_the_cinn(subsets: Path, tiny_weights: Path, tmp_path: Path) -> None:
    words: list[object] = ["--data", subsets, "--weights", tiny_weights, "--no-judge", "--json", "-"]
    for name in ("regression", "cvae"):
        colorizer = RivalColorizer(name, DecoderConfig(widths=(8, 8, 8), blocks=0, latent_channels=1))
        torch.nn.init.normal_(colorizer.rival.decoder.last.weight)
        save_rival(colorizer, tmp_path / f"my-{name}.safetensors")
        words.append(tmp_path / f"my-{name}.safetensors")
    report = json.loads(run(app, "measure", *words).stdout)
    assert [(name, figures["photos"]) for name, figures in report.items()] == [("people", 1), ("pets", 1), ("all", 2)]
    for figures in report.values():
        regression, vae = figures["rivals"]["my-regression"], figures["rivals"]["my-cvae"]
        assert regression["gray"] == vae["gray"] == figures["gray"]
        assert regression["best_of_1"] == pytest.approx(regression["temperature_0"])
        assert regression["variance"] == 0 < vae["variance"]
        assert vae["best_of_8_pixel"] < vae["best_of_8_photo"]
        assert "bits_per_dim" not in vae

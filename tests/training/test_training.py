"""The training loop learns, stops, goes on and writes weights that load."""

import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from torch.testing import assert_close

from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn, CinnConfig
from model.flow.condition import ConditionNetwork
from model.pixels.color import photo_to_lightness
from model.pixels.resizing import resize_lightness
from training.average import average
from training.data import NoPhotosError
from training.dataset import FeatureDataset
from training.ema import Ema
from training.features import STEPS_PER_STD, build_features, standardize_network
from training.imagenet import FILE, PACKAGE, load_imagenet_weights
from training.loop import LoopConfig, Trainer, stop_signals
from training.objective import level_data, level_loss
from training.run import RunConfig, join, run
from training.standardize import standardize

PHOTOS = 24  # of the fixture, and two more that are too grey
STEPS = 30


@pytest.fixture(scope="session")
def prepared(photos: Path, tmp_path_factory: pytest.TempPathFactory, tiny_config: CinnConfig) -> tuple[Cinn, Path]:
    """A new network with ImageNet's h, and the features of one view."""
    cinn = Cinn(tiny_config)
    load_imagenet_weights(cinn.network)
    standardize_network(cinn.network, photos)
    folder = tmp_path_factory.mktemp("features") / "0"
    assert build_features(cinn.network, photos, folder, view=0) == PHOTOS
    return cinn, folder


def new_cinn(prepared: tuple[Cinn, Path]) -> tuple[Cinn, FeatureDataset]:
    source, folder = prepared
    dataset = FeatureDataset([[folder]], held_out=0.2)
    cinn = Cinn(source.config)
    cinn.load_state_dict(source.state_dict())
    standardize(cinn, dataset)
    return cinn, dataset


def trainer(prepared: tuple[Cinn, Path], levels: tuple[int, ...], **settings: float) -> Trainer:
    cinn, dataset = new_cinn(prepared)
    return Trainer(cinn, levels, dataset, replace(LoopConfig(batch=8, warmup_steps=1), **settings))  # type: ignore[arg-type]


def steps(loop: Trainer, count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = loop.dataset.batches(8, np.random.default_rng(0))
    for _ in range(count):
        loop._step(next(batches), generator)


def test_features_are_those_of_h(prepared: tuple[Cinn, Path], photos: Path) -> None:
    cinn, folder = prepared
    from training.data import make_example, read_photos

    example = make_example(next(read_photos(photos)))
    dataset = FeatureDataset([[folder]], held_out=0.2)
    batch = dataset._read([(0, 0, 0)])
    assert_close(batch.chroma[0].permute(1, 2, 0).numpy(), example.chroma, rtol=1e-3, atol=0.02)  # kept in float16
    expected = cinn.network(torch.from_numpy(example.lightness)[None, None])
    for kept, feature in zip(batch.features, expected, strict=True):
        inside = feature.abs() < 127 / STEPS_PER_STD
        # bfloat16 and the step of the int8 both stay below a tenth of a channel's standard deviation on average.
        assert (kept - feature)[inside].abs().mean() < 0.1


def test_finished_features_are_kept(prepared: tuple[Cinn, Path], photos: Path) -> None:
    cinn, folder = prepared
    before = (folder / "chroma.raw").stat().st_mtime_ns
    assert build_features(cinn.network, photos, folder, view=0) == PHOTOS
    assert (folder / "chroma.raw").stat().st_mtime_ns == before


def test_data_are_standardized(prepared: tuple[Cinn, Path]) -> None:
    cinn, dataset = new_cinn(prepared)
    batch = next(dataset.batches(len(dataset.train), np.random.default_rng(0)))
    for level, flow in enumerate(cinn.levels):
        data, _ = level_data(cinn, level, batch.chroma)
        seen = flow.standardize(data)
        # Haar bands of one photo need not have unit variance each, but all of them together do.
        assert seen.square().mean().item() == pytest.approx(1, rel=0.05)


def test_the_loss_is_the_models_own_likelihood(prepared: tuple[Cinn, Path]) -> None:
    cinn, dataset = new_cinn(prepared)
    batch = next(iter(dataset.held_out_batches(3)))
    condition = [level.photo_condition(batch.features, batch.lightness) for level in cinn.levels]
    log_prob = cinn.log_prob(batch.chroma, condition).log_prob
    for level, flow in enumerate(cinn.levels):
        nats = level_loss(cinn, level, batch, *level_data(cinn, level, batch.chroma)).nats
        assert_close(-nats * flow.dims + cinn._constant(level), log_prob[:, level], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("levels", [(0,), (1,), (2, 3)])
def test_training_lowers_the_held_out_loss(prepared: tuple[Cinn, Path], levels: tuple[int, ...]) -> None:
    loop = trainer(prepared, levels, learning_rate=3e-3)
    before = loop.evaluate()
    steps(loop, STEPS)
    assert loop.history.skipped == 0
    assert all(after < start for start, after in zip(before, loop.evaluate(), strict=True))


def test_training_h_beside_a_level_changes_h_where_it_may_change(prepared: tuple[Cinn, Path], tmp_path: Path) -> None:
    loop = trainer(prepared, (0, 1), learning_rate=3e-3, network_learning_rate=1e-4)
    before = {name: p.clone() for name, p in loop.cinn.network.named_parameters()}
    start = loop.evaluate()
    steps(loop, STEPS)
    assert all(after < held for held, after in zip(start, loop.evaluate(), strict=True))
    changed = {name for name, p in loop.cinn.network.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {name for name, p in loop.cinn.network.named_parameters() if p.requires_grad}
    assert not any(name.startswith(("stem", "stages.0.", "stages.1.", "stages.2.")) for name in changed)
    loop._save(tmp_path / "state.pt")
    again = trainer(prepared, (0, 1), network_learning_rate=1e-4)
    again._load(tmp_path / "state.pt")
    assert_close(again.cinn.network.state_dict(), loop.cinn.network.state_dict())


def test_h_is_not_trained_without_the_levels_that_it_feeds(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="together with h"):
        run(RunConfig(photos, tmp_path, 1), loop=LoopConfig(network_learning_rate=1e-4))


def test_steps_that_are_not_finite_are_skipped_and_counted(prepared: tuple[Cinn, Path]) -> None:
    loop = trainer(prepared, (0,))
    before = {name: p.clone() for name, p in loop.flows.named_parameters()}
    batch = next(loop.dataset.batches(8, np.random.default_rng(0)))
    loop._step(batch._replace(chroma=batch.chroma * math.nan), torch.Generator().manual_seed(0))
    assert (loop.history.step, loop.history.skipped) == (1, 1)
    for name, p in loop.flows.named_parameters():
        assert_close(p, before[name], rtol=0, atol=0)


def test_training_goes_on_from_its_state(prepared: tuple[Cinn, Path], tmp_path: Path) -> None:
    first = trainer(prepared, (0,), minutes=0.01)
    first.train(tmp_path / "level-8.pt")
    second = trainer(prepared, (0,), minutes=0.02)
    second.train(tmp_path / "level-8.pt")
    assert second.history.step > first.history.step > 0
    assert second.history.losses[: len(first.history.losses)] == first.history.losses
    assert second.history.seconds >= 0.02 * 60


def test_training_ends_with_the_weights_that_held_out_photos_were_likeliest_with(
    prepared: tuple[Cinn, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = trainer(prepared, (0,), minutes=0.02, checkpoint_minutes=0.0)
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate() -> list[float]:
        seen.append({name: p.detach().clone() for name, p in loop.trained.named_parameters()})
        return [abs(len(seen) - 2.0)]  # the second time is the best

    monkeypatch.setattr(loop, "evaluate", evaluate)
    assert loop.train(tmp_path / "state.pt")
    assert len(seen) > 2
    for name, p in loop.trained.named_parameters():
        assert_close(p, seen[1][name], rtol=0, atol=0)
    assert any(not torch.equal(seen[1][name], last) for name, last in seen[-1].items())


def test_ema_averages_and_gives_back() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, 1.0)
    ema = Ema(module, decay=0.5)
    torch.nn.init.constant_(module.weight, 3.0)
    ema.update(1000)
    with ema.applied():
        assert module.weight.item() == 2.0
    assert module.weight.item() == 3.0


def test_signals_are_collected_and_handed_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as received:
        assert not received
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_run_of_all_levels(photos: Path, tmp_path: Path, tiny_config: CinnConfig) -> None:
    loop = LoopConfig(batch=8)
    path = run(RunConfig(photos, tmp_path, minutes=0.02, views=2), tiny_config, loop)
    assert path is not None
    checkpoint = load_checkpoint(path)
    assert checkpoint.cinn.config == tiny_config
    assert {file.stem for file in tmp_path.glob("level-*.pt")} == {"level-8", "level-16", "level-32", "level-64"}
    # From these weights, one level more; then joined with the others.
    more = run(RunConfig(photos, tmp_path / "more", minutes=0.01, levels=(16,), views=1, init=path), None, loop)
    assert more is not None
    join({8: path, 16: more, 32: path, 64: path}, tmp_path / "joined.safetensors")
    joined = load_checkpoint(tmp_path / "joined.safetensors").cinn.state_dict()
    for name, tensor in load_checkpoint(path).cinn.state_dict().items():
        origin = load_checkpoint(more).cinn.state_dict()[name] if name.startswith("levels.1.") else tensor
        assert_close(joined[name], origin, rtol=0, atol=0)
    trained = [name for name in joined if name.startswith("levels.1.") and name.endswith("weight")]
    assert any(not torch.equal(joined[name], load_checkpoint(path).cinn.state_dict()[name]) for name in trained)


def test_joining_wants_every_level(tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one checkpoint for each of"):
        join({8: tiny_weights}, tmp_path / "joined.safetensors")


def test_joining_tells_how_to_sample(tiny_weights: Path, tmp_path: Path) -> None:
    levels = dict.fromkeys((8, 16, 32, 64), tiny_weights)
    exponents = (0.5, 1.0, 2.0, 3.0)
    join(levels, tmp_path / "joined.safetensors", "mine-2", 0.7, exponents)
    joined = load_checkpoint(tmp_path / "joined.safetensors")
    assert (joined.name, joined.temperature, joined.temperature_exponents) == ("mine-2", 0.7, exponents)
    with pytest.raises(InputError, match="exponent"):
        join(levels, tmp_path / "joined.safetensors", exponents=(1.0,))


def test_an_average_lies_between(tiny_checkpoint: Checkpoint, tiny_weights: Path, tmp_path: Path) -> None:
    other = Cinn(tiny_checkpoint.cinn.config)
    save_checkpoint(replace(tiny_checkpoint, cinn=other), tmp_path / "other.safetensors")
    average([tiny_weights, tmp_path / "other.safetensors"], tmp_path / "mean.safetensors")
    mean = dict(load_checkpoint(tmp_path / "mean.safetensors").cinn.named_parameters())
    for name, parameter in tiny_checkpoint.cinn.named_parameters():
        expected = (parameter + other.get_parameter(name)) / 2
        assert_close(mean[name], expected, rtol=2e-3, atol=3e-4)  # kept in float16
    with pytest.raises(InputError, match="weights"):
        average([], tmp_path / "mean.safetensors")


def test_joining_wants_the_same_h(tiny_checkpoint: Checkpoint, tiny_weights: Path, tmp_path: Path) -> None:
    other = Cinn(tiny_checkpoint.cinn.config)
    save_checkpoint(replace(tiny_checkpoint, cinn=other), tmp_path / "other.safetensors")
    levels = {8: tiny_weights, 16: tmp_path / "other.safetensors", 32: tiny_weights, 64: tiny_weights}
    with pytest.raises(InputError, match="the same h"):
        join(levels, tmp_path / "joined.safetensors")


def test_photos_without_colour(tmp_path: Path, photos: Path, tiny_config: CinnConfig) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "grey.png").write_bytes((photos / f"{PHOTOS}.png").read_bytes())
    for _ in range(2):  # nothing is kept of the first try
        with pytest.raises(NoPhotosError, match="only near-grey photos"):
            run(RunConfig(tmp_path / "data", tmp_path / "run", minutes=0.01, views=1), tiny_config)


def test_a_run_folder_belongs_to_its_data(tmp_path: Path, photos: Path, tiny_config: CinnConfig) -> None:
    loop = LoopConfig(batch=8)
    run(RunConfig(photos, tmp_path / "run", minutes=0, levels=(8,), views=1), tiny_config, loop)
    (tmp_path / "data").mkdir()
    for i in range(4):
        (tmp_path / "data" / f"{i}.png").write_bytes((photos / f"0{i}.png").read_bytes())
    with pytest.raises(InputError, match="out: expected a new folder"):
        run(RunConfig(tmp_path / "data", tmp_path / "run", minutes=0, levels=(8,), views=1), tiny_config, loop)


def test_h_with_imagenet_weights_knows_a_cat() -> None:
    network = ConditionNetwork()
    load_imagenet_weights(network)
    lightness = resize_lightness(photo_to_lightness(skimage.data.chelsea()))
    features = network(torch.from_numpy(lightness)[None, None])
    with resources.as_file(resources.files(PACKAGE) / FILE) as path:
        source = torch.load(path, weights_only=True)
    logits = features.at_1 @ source["_fc.weight"].T + source["_fc.bias"]
    assert 281 <= logits.argmax().item() <= 285  # ImageNet's classes of cats


def test_an_unknown_level(photos: Path, tmp_path: Path, tiny_config: CinnConfig) -> None:
    with pytest.raises(InputError, match="level: expected some of"):
        run(RunConfig(photos, tmp_path, minutes=0.01, levels=(9,)), tiny_config)


def test_too_few_photos(tmp_path: Path, photos: Path, tiny_config: CinnConfig) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "only.png").write_bytes((photos / "00.png").read_bytes())
    with pytest.raises(NoPhotosError, match="too few to train on"):
        run(RunConfig(tmp_path / "data", tmp_path / "run", minutes=0.01, views=1), tiny_config)


def test_sigterm_leaves_a_state_to_go_on_from(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "run", "--data", photos, "--out", tmp_path, "--minutes", "5"]
    with subprocess.Popen(  # noqa: S603
        [*map(str, command), "--views", "1", "--level", "8"], stdout=subprocess.PIPE, text=True, env=_environment()
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("training 8²"):  # from here on the signal is awaited
                process.terminate()
        assert process.wait(30) == 0
    state = torch.load(tmp_path / "level-8.pt", weights_only=True)
    assert state["history"]["seconds"] < 5 * 60


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def test_an_interrupted_run_is_not_begun_anew(tiny_checkpoint: Checkpoint, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "level-8.pt").write_bytes(b"")
    command = [sys.executable, "-m", "training", "run", "--data", str(photos), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert "--resume" in done.stderr

"""The training loop: learning, stopping, resuming, and weights that load."""

import copy
import math
import os
import shutil
import signal
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import skimage.data
import torch
from torch.testing import assert_close

from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from model.flow.condition import ConditionNetwork
from model.flow.haar import pyramid, split
from model.flow.sizes import CELLS
from model.pixels.color import photo_to_lightness
from model.pixels.resizing import resize_lightness
from tests.loops import send, steps
from tests.networks import TINY
from tests.training.conftest import PHOTOS
from training.average import average
from training.data import NoPhotosError, make_example, read_photos
from training.dataset import FeatureDataset, read_features
from training.draws import DrawConfig
from training.ema import Ema
from training.features import STEPS_PER_STD, build_features
from training.imagenet import FILE, PACKAGE, load_imagenet_weights, read_package
from training.lock import locked
from training.loop import DivergedError, LoopConfig, Trainer
from training.objectives.coarsest import CoarsestObjective, PriorObjective
from training.objectives.details import DetailsObjective
from training.run import OBJECTIVES, SHARES, RunConfig, join, prepare, run, run_scored, run_thin, run_worn
from training.standardize import DETAIL_SCALE, standardize

STEPS = 10


def new_cinn(prepared: tuple[Cinn, Path], own_h: bool = False) -> tuple[Cinn, FeatureDataset]:
    """Return a network to train, and the data; h is shared unless it is trained, too."""
    source, folder = prepared
    dataset = FeatureDataset([[folder]], held_out=0.2)
    cinn = copy.deepcopy(source, {} if own_h else {id(source.network): source.network})
    standardize(cinn, dataset)
    return cinn, dataset


def trainer(prepared: tuple[Cinn, Path], part: str, **settings: float) -> Trainer:
    cinn, dataset = new_cinn(prepared, own_h="network_learning_rate" in settings)
    config = replace(LoopConfig(batch=8, warmup_steps=1), **settings)  # type: ignore[arg-type]
    return Trainer(cinn.network, OBJECTIVES[part](cinn), dataset, config)


def test_features_are_those_of_h(prepared: tuple[Cinn, Path], photos: Path) -> None:
    cinn, folder = prepared
    example = make_example(next(read_photos(photos)))
    dataset = FeatureDataset([[folder]], held_out=0.2)
    batch = dataset._read([(0, 0, 0)])
    assert_close(batch.chroma[0].permute(1, 2, 0).numpy(), example.chroma, rtol=1e-3, atol=0.02)  # kept in float16
    expected = cinn.network(torch.from_numpy(example.lightness)[None, None])
    for kept, feature in zip(batch.features, expected, strict=True):
        inside = feature.abs() < 127 / STEPS_PER_STD
        # Rounding to bfloat16 and int8 each stay below a tenth of a channel's standard deviation on average.
        assert (kept - feature)[inside].abs().mean() < 0.1


def test_features_are_the_same_without_openvino(prepared: tuple[Cinn, Path], few_photos: Path, tmp_path: Path) -> None:
    cinn, folder = prepared  # whose first photos are the few
    with patch("training.features.find_spec", return_value=None):
        count = build_features(cinn.network, few_photos, tmp_path / "0", view=0)
    ours, others = (next(read_features(each, count)).features for each in (folder, tmp_path / "0"))
    for one, other in zip(ours, others, strict=True):
        assert (one - other).abs().mean() < 0.05  # in standard deviations; both are computed in bfloat16


def test_data_are_standardized(prepared: tuple[Cinn, Path]) -> None:
    cinn, dataset = new_cinn(prepared)
    batch = next(dataset.batches(len(dataset.train), np.random.default_rng(0)))
    sizes = pyramid((batch.chroma - cinn.chroma_mean) / cinn.chroma_std, 3)
    cells = cinn.coarsest.standardize(sizes[0])
    assert_close(cells.mean((0, 2, 3)), torch.zeros(2), rtol=0, atol=0.05)
    assert_close(cells.std((0, 2, 3)), torch.ones(2), rtol=0.05, atol=0)
    for level, finer in zip(cinn.details, sizes[1:], strict=True):
        seen = split(finer)[1] / level.std
        assert_close(seen.std((0, 2, 3)), torch.full((6,), 1 / DETAIL_SCALE), rtol=0.05, atol=0)


def test_the_losses_are_the_models_own_likelihood(prepared: tuple[Cinn, Path]) -> None:
    cinn, dataset = new_cinn(prepared)
    batch = next(iter(dataset.held_out_batches(3)))
    generator = torch.Generator().manual_seed(0)
    coarsest, details = CoarsestObjective(cinn), DetailsObjective(cinn)
    cinn.eval()
    with torch.no_grad(), patch("training.objectives.details.NOISE", 0.0):
        bits = torch.cat((coarsest.held_out(batch, generator), details.held_out(batch, generator)), 1)
        condition = [cinn.coarsest.photo_condition(batch.features, batch.lightness)]
        condition += cinn.decoder(batch.features, batch.lightness)
        log_prob = cinn.log_prob(batch.chroma, condition).log_prob
        of_prior = PriorObjective(cinn).held_out(batch, generator)[:, 0]
        cells, order = cinn.coarsest.in_order(pyramid((batch.chroma - cinn.chroma_mean) / cinn.chroma_std, 3)[0])
        nats = cinn.prior.log_prob(cells, order).sum(1) - CELLS * cinn.coarsest.std.log().sum()
    # networks in bfloat16 on one side
    assert_close(of_prior, -nats / (math.log(2) * cinn.coarsest.dims), rtol=1e-3, atol=1e-3)
    for level, dims in enumerate(cinn.dims):
        nats = -bits[:, level] * math.log(2) * dims + cinn.constant(level)
        # networks in bfloat16 on one side only: one percent of the nats per dimension
        assert_close(nats, log_prob[:, level], rtol=1e-2, atol=1e-2 * dims)


@pytest.mark.parametrize("part", ["coarsest", "prior", "details"])
def test_training_lowers_the_held_out_loss(prepared: tuple[Cinn, Path], part: str) -> None:
    """Muon trains the matrices and AdamW the rest; every parameter changes."""
    loop = trainer(prepared, part, learning_rate=3e-3, minutes=100)
    module = loop.players[0].objective.module
    adamw, muon = (
        {p.data_ptr() for group in optimizer.param_groups for p in group["params"]} for optimizer in loop.optimizers
    )
    assert adamw.isdisjoint(muon)
    assert adamw | muon == {p.data_ptr() for p in module.parameters()}
    before, start = loop.evaluate(), {name: p.clone() for name, p in module.named_parameters()}
    steps(loop, STEPS)
    assert loop.history.skipped == 0
    assert all(after < held for held, after in zip(before, loop.evaluate(), strict=True))
    assert not [name for name, p in module.named_parameters() if p.equal(start[name])]


def test_without_a_rate_for_muon_adamw_trains_all(prepared: tuple[Cinn, Path]) -> None:
    loop = trainer(prepared, "coarsest", matrix_learning_rate=0.0)
    (adamw,) = loop.optimizers
    trained = {p.data_ptr() for group in adamw.param_groups for p in group["params"]}
    assert trained == {p.data_ptr() for p in loop.players[0].objective.module.parameters()}


@pytest.mark.parametrize(
    ("options", "loop", "words"),
    [
        ({"draws": DrawConfig(tries=2, keep=3)}, {}, "keep: expected at most as many as there are tries, 2"),
        ({"name": "彩色-1"}, {}, "name: expected 1 to 64 letters"),  # no service could use it
        ({"parts": ("coarser",)}, {}, "part: expected some of"),
        ({}, {"network_learning_rate": 1e-4}, "together with h"),
    ],
)
def test_what_a_run_refuses_before_it_trains(
    photos: Path, tmp_path: Path, options: dict[str, Any], loop: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run(RunConfig(photos, tmp_path, **options), TINY, LoopConfig(**loop))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("go_on", [run_scored, run_worn, partial(run_thin, details=TINY.details)])
def test_what_goes_on_from_weights_needs_them(photos: Path, tmp_path: Path, go_on: Callable[..., object]) -> None:
    with pytest.raises(InputError, match="init"):
        go_on(RunConfig(photos, tmp_path), loop=LoopConfig(steps=1))


def test_learning_rates_hold_and_then_fall(prepared: tuple[Cinn, Path]) -> None:
    loop = trainer(prepared, "coarsest", minutes=1.0, hold=0.5)
    rates = []
    for done in (0.0, 0.5, 0.75, 1.0):
        loop.history.seconds = done * 60
        steps(loop, 1)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in loop.optimizers])
    peaks = np.array([loop.config.learning_rate, loop.config.matrix_learning_rate])
    np.testing.assert_allclose(rates, np.outer((1, 1, 0.5, 0), peaks), atol=1e-12)


def test_training_h_beside_a_part_changes_h_where_it_may_change(prepared: tuple[Cinn, Path], tmp_path: Path) -> None:
    loop = trainer(prepared, "coarsest", learning_rate=3e-3, network_learning_rate=1e-4, minutes=100)
    before = {name: p.clone() for name, p in loop.network.named_parameters()}
    start = loop.evaluate()
    steps(loop, STEPS // 2)
    assert all(after < held for held, after in zip(start, loop.evaluate(), strict=True))
    changed = {name for name, p in loop.network.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {name for name, p in loop.network.named_parameters() if p.requires_grad}
    assert not any(name.startswith(("stem", "stages.0.", "stages.1.", "stages.2.")) for name in changed)
    loop._save(tmp_path / "state.pt")
    again = trainer(prepared, "coarsest", network_learning_rate=1e-4)
    again._load(tmp_path / "state.pt")
    assert_close(again.network.state_dict(), loop.network.state_dict())


@pytest.mark.parametrize("settings", [{"steps": 1}, {"steps": 2, "checkpoint_steps": 1}], ids=["the end", "a part"])
def test_a_signal_while_what_was_learned_is_judged_is_heeded(
    prepared: tuple[Cinn, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int]
) -> None:
    """Afterwards, the earlier signal handlers are restored."""
    stopped = trainer(prepared, "coarsest", **settings)
    evaluate, numbers = stopped.evaluate, (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]

    def evaluate_and_stop() -> list[float]:
        if stopped.history.step:
            send(signal.SIGINT)
        return evaluate()

    monkeypatch.setattr(stopped, "evaluate", evaluate_and_stop)
    assert not stopped.train(tmp_path / "coarsest.pt")
    assert [signal.getsignal(number) for number in numbers] == handlers
    assert stopped.history.step == 1
    again = trainer(prepared, "coarsest", **settings)
    assert again.train(tmp_path / "coarsest.pt")
    assert again.history.step == settings["steps"]
    assert again.history.losses[:1] == stopped.history.losses  # nothing was lost


def test_a_state_that_is_damaged_or_of_other_options_is_refused(prepared: tuple[Cinn, Path], tmp_path: Path) -> None:
    state = tmp_path / "coarsest.pt"
    trainer(prepared, "coarsest", minutes=0).train(state)
    for options in ({"matrix_learning_rate": 0.0}, {"network_learning_rate": 1e-4}):
        with pytest.raises(InputError, match="run with the same options"):
            trainer(prepared, "coarsest", minutes=0, **options).train(state)
    whole = state.read_bytes()
    for length in (0, 3, 1000):
        state.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"the whole state .* got .*coarsest\.pt"):
            trainer(prepared, "coarsest", minutes=0).train(state)


def test_training_ends_with_the_weights_that_held_out_photos_were_likeliest_with(
    prepared: tuple[Cinn, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = trainer(prepared, "coarsest", steps=4, checkpoint_steps=1)
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate() -> list[float]:
        seen.append({name: p.detach().clone() for name, p in loop.trained.named_parameters()})
        return [abs(len(seen) - 3.0)]  # the third evaluation is the best, after two steps

    monkeypatch.setattr(loop, "evaluate", evaluate)
    assert loop.train(tmp_path / "state.pt")
    assert len(seen) == 5
    for name, p in loop.trained.named_parameters():
        assert_close(p, seen[2][name], rtol=0, atol=0)
    assert any(not torch.equal(seen[2][name], last) for name, last in seen[-1].items())


def test_training_without_gain_says_so(
    prepared: tuple[Cinn, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for after, told in ((1.25, True), (0.5, False)):
        loop = trainer(prepared, "coarsest", steps=1)
        losses = iter((1.0, after))  # the first before any step
        monkeypatch.setattr(loop, "evaluate", lambda losses=losses: [next(losses)])
        assert loop.train(tmp_path / f"{after}.pt")
        assert ("no gain: held out 1.2500 at best, 1.0000 before training" in capsys.readouterr().out) == told


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_training_that_diverges_keeps_its_last_state(
    prepared: tuple[Cinn, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    state = tmp_path / "state.pt"
    loop = trainer(prepared, "coarsest", steps=4, checkpoint_steps=1)
    losses = iter((1.0, 0.5, 20.0, loss))  # the first before any step
    monkeypatch.setattr(loop, "evaluate", lambda: [next(losses)])
    with pytest.raises(DivergedError, match=r"at step 3, .* began with 1; .* continue .*state\.pt with --resume"):
        loop.train(state)
    again = trainer(prepared, "coarsest", steps=2)
    assert again.train(state)
    assert (again.history.step, again.history.best) == (2, 0.5)


def test_a_run_that_diverges_writes_no_weights(few_photos: Path, tiny_file: Path, kept: Path, tmp_path: Path) -> None:
    config = RunConfig(few_photos, tmp_path / "run", ("coarsest",), views=1, init=tiny_file, features=kept)
    with pytest.raises(DivergedError, match=r"the held-out loss is .* begin again"):
        run(config, loop=LoopConfig(steps=30, warmup_steps=1, batch=2, learning_rate=1e4))
    assert {file.name for file in config.out.iterdir()} == {"run.json"}


def test_ema_averages_and_gives_back() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, 1.0)
    ema = Ema(module, decay=0.5)
    torch.nn.init.constant_(module.weight, 3.0)
    ema.update(1000)
    with ema.applied():
        assert module.weight.item() == 2.0
    assert module.weight.item() == 3.0


def test_a_run_of_all_parts(few_photos: Path, tmp_path: Path) -> None:
    loop = LoopConfig(minutes=0.004, batch=8, warmup_steps=1)
    config = RunConfig(few_photos, tmp_path, views=2)
    path = run(config, TINY, loop)
    assert path is not None
    checkpoint = load_checkpoint(path)
    assert checkpoint.cinn.config == TINY
    assert {file.stem for file in tmp_path.glob("*.pt")} == {"coarsest", "prior", "distilled", "details"}
    # The same command finds all finished work.
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("done.json")}
    assert len(before) == 3  # features of two views, and draws
    assert run(config, TINY, loop) == path
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("done.json")} == before
    assert load_checkpoint(path).sha256 == checkpoint.sha256
    # One more part from these weights, then joined with the others.
    again = replace(config, out=tmp_path / "more", parts=("details",), init=path, features=tmp_path / "features")
    more = run(again, None, loop)
    assert more is not None
    parts, out = dict.fromkeys(SHARES, path) | {"details": more}, tmp_path / "joined.safetensors"
    join(parts, out)
    told = load_checkpoint(out)
    assert (told.name, told.temperature_exponents) == (checkpoint.name, checkpoint.temperature_exponents)
    join(parts, out, "mine-2", 0.7, (0.5, 1.0, 2.0, 3.0))
    told = load_checkpoint(out)
    assert (told.name, told.temperature, told.temperature_exponents) == ("mine-2", 0.7, (0.5, 1.0, 2.0, 3.0))
    joined, first, second = (load_checkpoint(each).cinn.state_dict() for each in (out, path, more))
    for name, tensor in joined.items():
        source = second if name.startswith(("decoder.", "details.")) else first
        assert_close(tensor, source[name], rtol=0, atol=0)
    assert any(not torch.equal(first[name], second[name]) for name in joined)


def test_what_joining_refuses(tiny_checkpoint: Checkpoint, tiny_file: Path, tmp_path: Path) -> None:
    other, parts = tmp_path / "other.safetensors", dict.fromkeys(SHARES, tiny_file)
    save_checkpoint(replace(tiny_checkpoint, network=Cinn(TINY)), other)
    retrained = load_checkpoint(tiny_file)
    retrained.cinn.coarsest.output.bias += 1
    save_checkpoint(retrained, tmp_path / "retrained.safetensors")
    refused: tuple[tuple[dict[str, Path], dict[str, Any], str], ...] = (
        ({"coarsest": tiny_file}, {}, "one checkpoint for each of"),
        (parts | {"details": other}, {}, "h and a"),
        (parts | {"coarsest": tmp_path / "retrained.safetensors"}, {}, "a distilled decoder of the same level 8²"),
        (parts, {"exponents": (1.0,)}, "exponent"),
        (parts, {"temperature": 3.0}, "temperature: expected 0 to 2, got 3"),
    )
    for asked, told, words in refused:
        with pytest.raises(InputError, match=words):
            join(asked, tmp_path / "joined.safetensors", **told)


def test_an_average_lies_between(tiny_checkpoint: Checkpoint, tiny_weights: Path, tmp_path: Path) -> None:
    other = Cinn(tiny_checkpoint.cinn.config)
    unlike = [tiny_weights, tmp_path / "unlike.safetensors"]
    save_checkpoint(replace(tiny_checkpoint, network=other), unlike[1])
    other.chroma_std.copy_(tiny_checkpoint.cinn.chroma_std)
    save_checkpoint(replace(tiny_checkpoint, network=other), tmp_path / "other.safetensors")
    average([tiny_weights, tmp_path / "other.safetensors"], tmp_path / "mean.safetensors")
    mean = dict(load_checkpoint(tmp_path / "mean.safetensors").cinn.named_parameters())
    for name, parameter in tiny_checkpoint.cinn.named_parameters():
        expected = (parameter + other.get_parameter(name)) / 2
        assert_close(mean[name], expected, rtol=2e-3, atol=3e-4)  # kept in float16
    for refused in ([], unlike):
        with pytest.raises(InputError, match="weights"):
            average(refused, tmp_path / "mean.safetensors")


def test_a_part_that_the_folder_has_trained_is_not_left_out(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "coarsest.pt").touch()
    with pytest.raises(InputError, match=r"part: expected \['coarsest'\], too"):
        run(RunConfig(photos, tmp_path, parts=("details",), views=1), TINY, LoopConfig(minutes=0))


def begin(data: Path, out: Path, **options: Any) -> Path | None:
    """Prepare a run up to its first step, and write the weights."""
    config = RunConfig(data, out, parts=("coarsest",), views=1, **options)
    return run(config, None if config.init else TINY, LoopConfig(minutes=0))


@pytest.mark.parametrize(
    ("photo", "said"), [("00.png", "too few to train on"), (f"{PHOTOS}.png", "only near-gray photos")]
)
def test_a_single_photo_or_a_gray_one(tmp_path: Path, photos: Path, tiny_file: Path, photo: str, said: str) -> None:
    for _ in range(2):  # the first try leaves nothing
        with pytest.raises(NoPhotosError, match=said):
            begin(photos / photo, tmp_path / "run", init=tiny_file)


def test_a_run_folder_belongs_to_its_data(
    tmp_path: Path, photos: Path, few_photos: Path, tiny_file: Path, kept: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPhotosError, match="no readable photo in"):
        begin(tmp_path / "empty", tmp_path, init=tiny_file, features=kept)
    begin(few_photos, tmp_path, init=tiny_file, features=kept)
    with pytest.raises(InputError, match="out: expected a new folder"):
        begin(photos, tmp_path, init=tiny_file, features=kept)
    with pytest.raises(InputError, match="weights and draws"):
        begin(few_photos, tmp_path, init=tiny_file, features=kept, draws=DrawConfig(tries=3))
    (tmp_path / "run.json").write_text('{"da')
    with pytest.raises(InputError, match="out: expected a new folder"):
        begin(few_photos, tmp_path, init=tiny_file, features=kept)


def test_a_run_folder_may_lie_among_its_photos(
    tmp_path: Path, few_photos: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(few_photos, tmp_path, dirs_exist_ok=True)
    begin(tmp_path, tmp_path / "run", init=tiny_file)
    (tmp_path / ".DS_Store").write_bytes(b"of a file manager")
    monkeypatch.chdir(tmp_path.parent)
    data = Path(tmp_path.name)  # the same folder under another name
    assert begin(data, tmp_path / "run", init=tiny_file) is not None


def test_photos_in_the_folder_above_leave_a_run_whole(
    tmp_path: Path, few_photos: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of draws named `..` would be the run's own folder."""
    shutil.copytree(few_photos, tmp_path, dirs_exist_ok=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    draws = DrawConfig(tries=1)
    config = RunConfig(Path(".."), Path("run"), parts=("distilled",), views=1, draws=draws, init=tiny_file)
    for _ in range(2):
        assert run(config, None, LoopConfig(minutes=0)) is not None
        assert (Path("run/draws") / tmp_path.name / "done.json").is_file()
        assert Path("run/distilled.pt").is_file()


def test_a_folder_of_features_belongs_to_its_photos_and_h(tmp_path: Path, photos: Path, few_photos: Path) -> None:
    features = tmp_path / "features"
    weights = begin(few_photos, tmp_path / "first", features=features)
    assert weights is not None
    assert begin(few_photos, tmp_path / "more", features=features, init=weights) is not None  # the same h, from a file
    checkpoint, other = load_checkpoint(weights), tmp_path / "other.safetensors"
    next(checkpoint.cinn.network.parameters()).mul_(2)
    save_checkpoint(checkpoint, other)
    with pytest.raises(InputError, match="features: expected a new folder"):
        begin(few_photos, tmp_path / "other-h", features=features, init=other)
    with pytest.raises(InputError, match="features: expected a new folder"):
        begin(photos / "00.png", tmp_path / "another-photo", features=features)


def test_a_folder_of_features_belongs_to_the_scales_of_h(tmp_path: Path, few_photos: Path, tiny_file: Path) -> None:
    features = tmp_path / "features"
    assert begin(few_photos, tmp_path / "first", features=features, init=tiny_file) is not None

    def begin_with(factor: float) -> Path | None:
        checkpoint, other = load_checkpoint(tiny_file), tmp_path / f"{factor}.safetensors"
        checkpoint.cinn.network.get_buffer("std_at_8").mul_(factor)
        save_checkpoint(checkpoint, other)
        return begin(few_photos, tmp_path / f"{factor}", features=features, init=other)

    assert begin_with(1.01) is not None  # as computed on another processor
    with pytest.raises(InputError, match=r"features: expected a new folder, or .* standardized over the same photos"):
        begin_with(1.2)
    (features / "scales.safetensors").unlink()  # as in folders of earlier releases
    assert begin_with(1.3) is not None


def test_a_run_counts_the_files_that_it_leaves_out(
    photos: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in (0, 1, PHOTOS):  # the last is near-gray
        shutil.copy(photos / f"{number:02}.png", data)
    (data / "broken.jpg").touch()
    begin(data, tmp_path / "run", init=tiny_file)
    assert "view 1 of 1: 2 photos\n2 other files are near-gray or not readable\n" in capsys.readouterr().out


@pytest.mark.parametrize("used", ["features", "out"])
def test_two_runs_do_not_write_into_one_folder(
    tmp_path: Path, few_photos: Path, tiny_file: Path, kept: Path, used: str
) -> None:
    config = {"init": tiny_file, "features": kept}
    folder = kept if used == "features" else tmp_path / "out"
    with locked(folder, used), pytest.raises(InputError, match=f"{used}: expected a folder that no other run"):
        begin(few_photos, tmp_path / "out", **config)
    assert begin(few_photos, tmp_path / "out", **config) is not None


def test_photos_beside_a_tar_are_trained_on(tmp_path: Path, photos: Path, tiny_file: Path) -> None:
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data" / "some.v1.tar", "w") as tar:
        for i in range(4):
            tar.add(photos / f"0{i}.png", f"0{i}.png")
    sharded, beside = (RunConfig(tmp_path / "data", tmp_path / name, views=1, init=tiny_file) for name in ("a", "b"))
    (tmp_path / "a" / "features" / "some.part").mkdir(parents=True)  # another process works on another shard
    assert len(prepare(sharded, load_checkpoint(tiny_file).cinn).train) == 3
    assert (tmp_path / "a" / "features" / "some.part").is_dir()
    assert (tmp_path / "a" / "features" / "some.v1-0").is_dir()
    for i in range(4, 6):
        (tmp_path / "data" / f"0{i}.png").write_bytes((photos / f"0{i}.png").read_bytes())
    assert len(prepare(beside, load_checkpoint(tiny_file).cinn).train) == 5


def test_h_with_imagenet_weights_knows_a_cat() -> None:
    network = ConditionNetwork()
    load_imagenet_weights(network)
    lightness = resize_lightness(photo_to_lightness(skimage.data.chelsea()))
    features = network(torch.from_numpy(lightness)[None, None])
    source = read_package(PACKAGE, FILE)
    logits = features.at_1 @ source["_fc.weight"].T + source["_fc.bias"]
    assert 281 <= logits.argmax().item() <= 285  # ImageNet's classes of cats


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_ends_a_run_in_words(prepared: tuple[Cinn, Path], tmp_path: Path) -> None:
    (tmp_path / "coarsest.pt.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        trainer(prepared, "coarsest", minutes=0).train(tmp_path / "coarsest.pt")
    assert not (tmp_path / "coarsest.pt").exists()


def test_a_run_goes_on_after_a_full_disk(few_photos: Path, tiny_file: Path, kept: Path, tmp_path: Path) -> None:
    claim = tmp_path / "run.json"
    claim.touch()  # empty, since its content did not fit on the disk
    assert begin(few_photos, tmp_path, init=tiny_file, features=kept) is not None
    text = claim.read_text()
    os.utime(claim, ns=(0, 0))
    assert begin(few_photos, tmp_path, init=tiny_file, features=kept) is not None
    assert (claim.read_text(), claim.stat().st_mtime_ns) == (text, 0)  # it was not rewritten

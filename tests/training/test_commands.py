"""The commands of training: arguments that they pass to a run, and refusals before one begins."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from model.flow.checkpoint import load_checkpoint
from model.flow.config import CinnConfig
from tests.networks import changed_parts
from tests.programs import run
from training.__main__ import app
from training.draws import DrawConfig
from training.run import RunConfig

Runs = list[tuple[str, RunConfig, dict[str, Any]]]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Mocks of the functions that the commands call, with their arguments."""
    asked: Runs = []
    for name in ("run", "run_scored", "run_thin", "run_worn"):
        monkeypatch.setattr(
            f"training.__main__.{name}",
            lambda config, name=name, **given: asked.append((name, config, given)) or Path("weights"),
        )
    return asked


def test_rates_are_lower_for_weights_that_were_trained_already(
    runs: Runs, few_photos: Path, tiny_file: Path, tmp_path: Path
) -> None:
    for options, rates in (
        ((), (1e-3, 2e-3)),
        (("--init", tiny_file), (1e-4, 0.0)),
        (("--learning-rate", 0.5), (0.5, 2e-3)),
    ):
        run(app, "run", "--data", few_photos, "--out", tmp_path, *options)
        loop = runs.pop()[2]["loop"]
        assert (loop.learning_rate, loop.matrix_learning_rate) == rates


def test_a_run_that_was_stopped_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, few_photos: Path, tiny_file: Path, tmp_path: Path
) -> None:
    for name in ("run", "run_reward"):
        monkeypatch.setattr(f"training.__main__.{name}", lambda *_, **__: None)
    for words in (("run",), ("reward", "--init", tiny_file)):
        shown = run(app, *words, "--data", few_photos, "--out", tmp_path, status=130).stdout
        assert re.match(rf"stopped; .* --out {tmp_path}\n", shown)


def test_what_the_command_says_of_draws(runs: Runs, few_photos: Path, tmp_path: Path) -> None:
    command = ("run", "--data", few_photos, "--out", tmp_path)
    options = ("--own-draws", "--tries", 3, "--keep", 2, "--nearness", 0.01, "--draw-temperature", 0.9)
    for told in ((), options):
        run(app, *command, *told)
    assert [config.draws for _, config, _ in runs] == [DrawConfig(), DrawConfig(True, 3, 2, 0.01, 0.9)]
    run(app, *command, "--draw-temperature", 1, status=2)


def test_commands_that_go_on_from_weights(runs: Runs, few_photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    for command, function, state, views in (
        ("run", "run", "prior", 4),
        ("scored", "run_scored", "scored", 1),
        ("thin", "run_thin", "thinned", 4),
        ("worn", "run_worn", "worn", 4),
    ):
        out = tmp_path / command
        line = (command, "--data", few_photos, "--init", tiny_file, "--out", out, "--minutes", 3, "--name", "seen")
        run(app, *line, "--seed", 5)
        name, config, given = runs.pop()
        assert name == function
        assert config == RunConfig(few_photos, out, views=views, init=tiny_file, name="seen", device="auto")
        loop = given.pop("loop")
        assert (loop.minutes, loop.seed, loop.matrix_learning_rate) == (3, 5, 0)
        assert given == ({"details": CinnConfig().details} if command == "thin" else {})
        out.mkdir()
        (out / f"{state}.pt").touch()
        assert "--resume" in run(app, *line, status=2).stderr
        run(app, *line, "--resume")
        run(app, *line, "--resume", "--seed", -1, status=2)


def test_scored_changes_the_distilled_decoder_alone_and_goes_on_from_its_state(
    few_photos: Path, tiny_file: Path, kept: Path, tmp_path: Path
) -> None:
    line = ("scored", "--data", few_photos, "--init", tiny_file, "--out", tmp_path, "--name", "seen")
    line += ("--features", kept, "--learning-rate", 1)
    assert "training scored from step 0" in run(app, *line, "--minutes", 0.001).stdout
    assert re.search("training scored from step [1-9]", run(app, *line, "--minutes", 0.002, "--resume").stdout)
    found = load_checkpoint(tmp_path / "cinn.safetensors")
    assert (found.name, changed_parts(load_checkpoint(tiny_file).cinn, found.cinn)) == ("seen", {"distilled"})


def test_an_unusable_out_is_named(few_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "[").touch()
    out = tmp_path / "[" / "b]"  # looks like the end of markup
    done = run(app, "run", "--data", few_photos, "--minutes", 0, "--out", out, status=2)
    assert f"Not a directory: '{out}" in done.stderr


def test_parts_to_join_are_told_with_their_weights(tmp_path: Path) -> None:
    done = run(app, "join", "--part", "distilled", "--out", tmp_path / "joined.safetensors", status=2)
    assert done.stderr == "part: expected PART=WEIGHTS, got ['distilled']\n"


def test_sigterm_leaves_a_state_to_go_on_from(few_photos: Path, tiny_file: Path, kept: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "run", "--data", few_photos, "--out", tmp_path, "--minutes", "5"]
    with subprocess.Popen(  # noqa: S603
        [*map(str, command), "--views", "1", "--part", "coarsest", "--init", str(tiny_file), "--features", str(kept)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("training 8²"):  # from here on, training handles the signal
                process.terminate()
        assert process.wait(30) == 130
    state = torch.load(tmp_path / "coarsest.pt", weights_only=True)
    assert state["history"]["seconds"] < 5 * 60

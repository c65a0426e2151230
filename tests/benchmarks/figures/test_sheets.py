"""Contact sheets and quality against temperature."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from benchmarks.figures import sheets, temperatures


def run(command: object, *arguments: object, status: int = 0) -> str:
    app = Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status else result.stdout


def test_a_seed_draws_the_photos(subsets: Path, tiny_weights: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    options = ["--data", subsets, "--weights", tiny_weights, "--photos", 2, "--out", sheet]
    listed = [run(sheets.main, *options, "--seed", seed) for seed in (0, 3)]  # two orders of two photos
    assert listed[0] == run(sheets.main, *options) != listed[1]
    with Image.open(sheet) as image:
        assert image.size == (7 * 260 - 4, 18 + 2 * 260 - 4)


def test_failures_are_those_farthest_from_the_truth(subsets: Path, tiny_weights: Path, tmp_path: Path) -> None:
    options = ["--data", subsets, "--weights", tiny_weights, "--out", tmp_path / "sheet.png"]
    errors = {line.split()[0]: float(line.split()[1]) for line in run(sheets.main, *options).splitlines()}
    failures = run(sheets.main, *options, "--failures", "--photos", 2).splitlines()
    worst = sorted(errors, key=lambda name: -errors[name])[:2]
    assert [line.split()[0] for line in failures] == worst


def test_quality_against_temperature(
    subsets: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temperatures, "TEMPERATURES", (0.0, 1.0))
    run(temperatures.main, "--data", subsets, "--weights", tiny_weights, "--limit", 1, "--out", tmp_path)
    reports = json.loads((tmp_path / "temperatures.json").read_text())
    assert reports["0"]["variance"] == 0 < reports["1"]["variance"]
    with Image.open(tmp_path / "temperatures.png") as image:
        assert image.width > 1000


@pytest.mark.parametrize("figures", [sheets, temperatures])
def test_an_unusable_out_is_named_before_anything_is_colorized(
    figures: ModuleType, subsets: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setattr(figures, "CinnMethod", None)
    options = ["--data", subsets, "--weights", tiny_weights, "--out", tmp_path / "a file" / "figures" / "figure.png"]
    assert "a file" in run(figures.main, *options, status=2)

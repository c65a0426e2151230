"""Contact sheets and quality against temperature."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from benchmarks.figures import sheets, temperatures
from benchmarks.quality import candidates
from tests.programs import run


def test_a_seed_draws_the_photos_and_failures_are_those_farthest_from_the_truth(
    subsets: Path, tiny_file: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    options = ["--data", subsets, "--weights", tiny_file, "--photos", 2, "--out", sheet]
    choices = ([], ["--photos", 1, "--seed", 0], ["--seed", 3], ["--failures"])
    default, same, other, failures = (run(sheets.main, *options, *each).stdout.splitlines() for each in choices)
    assert default == same + other[:1] == other[::-1]  # seed 0 is the default; the other has the other order
    assert failures == sorted(default, key=lambda line: -float(line.split()[1]))
    with Image.open(sheet) as image:
        assert image.size == (7 * 260 - 4, 18 + 2 * 260 - 4)


def test_quality_against_temperature(
    subsets: Path, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temperatures, "TEMPERATURES", (0.0, 1.0))
    run(temperatures.main, "--data", subsets, "--weights", tiny_file, "--limit", 1, "--out", tmp_path)
    reports = json.loads((tmp_path / "temperatures.json").read_text())
    assert reports["0"]["variance"] == 0 < reports["1"]["variance"]
    with Image.open(tmp_path / "temperatures.png") as image:
        assert image.width > 1000


@pytest.mark.parametrize(
    ("program", "out"),
    [
        (sheets, "a file/figures/sheet.png"),
        (sheets, "sheet without a suffix"),
        (temperatures, "a file/figures"),
        (candidates, "a file/rated"),
        (candidates, "rated"),
    ],
)
def test_an_unusable_out_is_named_before_anything_is_colorized(
    program: ModuleType, out: str, subsets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "rated").mkdir()
    (tmp_path / "rated" / "key.json").touch()  # a key of sheets
    monkeypatch.setattr(program, "load_colorizer", None)
    assert out.split("/")[0] in run(program.main, "--data", subsets, "--out", tmp_path / out, status=2).output

"""Reports of benchmarks and their plots."""

import json
from pathlib import Path

import pytest

from benchmarks.figures import plots
from benchmarks.report import Target, write


def test_a_missed_target_is_written_and_told_by_the_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    kept, missed = Target("in 1 s", "0.5 s", True), Target("in 2 s", "3 s", False)
    figures = {
        "seconds": 3.0,
        "runs": [{"n": 1}, {"p50_seconds": 0.12345}],
        "stages": {"decode": (1234.2, 6.78), "encode": (5.0, None)},
    }
    with pytest.raises(SystemExit) as ended:
        write("speed", [kept, missed], figures, str(file))
    assert ended.value.code == 1
    report = json.loads(file.read_text())
    assert [target["kept"] for target in report["targets"]] == [True, False]
    assert report["runs"] == figures["runs"]
    assert {"cpu", "cores", "gpu"} <= set(report["hardware"])
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("p50 seconds", "0.123", "1234 ± 6.8", "decode", "NO"))


def test_what_was_measured_is_drawn(tmp_path: Path) -> None:
    figures = {
        "date": "2026-01-01T00:00:00+00:00",
        "hardware": {"cpu": "one", "cores": 2, "gpu": None},
        "p50_seconds": 1.0,
        "stages": {"decode": 0.1, "upsample": 0.9},
        "floor_seconds": {"decode": 0.1},
        "profile": {"main (a.py)": 60.0},
    }
    (tmp_path / "end_to_end.json").write_text(json.dumps(figures))
    plots.main(tmp_path, tmp_path)
    assert [file.name for file in tmp_path.glob("*.png")] == ["benchmark-end-to-end.png"]

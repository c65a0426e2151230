"""The report of the benchmark of `tintflow bulk`."""

import json
from pathlib import Path

import pytest

from benchmarks.load import bulk


def test_what_was_measured_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "measure", lambda photos, _: bulk.Run(photos, 1.0, 20 + 0.1 * photos, 1800, 1900))
    bulk.main(str(tmp_path / "figures.json"))
    report = json.loads((tmp_path / "figures.json").read_text())
    per_photo = report["processor_seconds_of_another_photo"]
    assert [(row["from"], row["to"]) for row in per_photo] == [(100, 1000), (1000, 5000)]
    assert [row["seconds"] for row in per_photo] == pytest.approx([0.1, 0.1])
    assert all(target["kept"] for target in report["targets"])

"""What an actor of `tintflow bulk` makes of a batch; on Ray itself, tests/cluster does."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from model.errors import NonFiniteError
from service import cli
from service.bulk import Asked, Painter
from service.command_line.bulk import ASKED_FILE

ASKED = Asked(n=2, seed=7, temperature=None, output_format="png", output_compression=90)


@pytest.fixture
def painter(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TINTFLOW_WEIGHTS", str(tiny_weights))
    monkeypatch.setattr("structlog.configure", lambda **options: None)
    made = Painter(ASKED, str(tmp_path / "out"))
    yield made
    made._decoders.close()


def outcomes(painter: Painter, **columns: list[Any]) -> list[dict[str, Any]]:
    batch = {name: np.array(values, dtype=object) for name, values in columns.items()}
    return sorted(map(json.loads, painter(batch)["outcome"]), key=lambda each: each["photo"])


def test_bad_photos_are_outcomes_beside_the_good(painter: Painter, grey_png: bytes, tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(grey_png)
    (tmp_path / "no.png").write_bytes(b"no image")
    names = ["good", "missing", "no"]
    photos = [str(tmp_path / f"{name}.png") for name in names]
    good, missing, no = outcomes(painter, photo=photos, target=[f"box/{name}" for name in names])
    assert good["files"] == ["box/good-7-0.png", "box/good-7-1.png"]
    assert (good["error"], len(good["bits_per_dim"])) == (None, 2)
    assert "No such file" in missing["error"]
    assert "image" in no["error"]
    assert {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.*")} == set(good["files"])


def test_what_is_there_is_not_made_again(painter: Painter, grey_png: bytes, tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {"photo": ["a", "b"], "data": [grey_png, grey_png]}
    first = outcomes(painter, **rows)
    lost = tmp_path / "out" / first[1]["files"][1]
    kept = tmp_path / "out" / first[0]["files"][0]
    lost.unlink()
    before = kept.stat().st_mtime_ns
    a, b = outcomes(painter, **rows)
    assert (a["bits_per_dim"], a["error"]) == ([], None)
    assert b["bits_per_dim"] == first[1]["bits_per_dim"]
    assert lost.exists()
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../b", ""])
def test_a_name_leads_nowhere_else(painter: Painter, grey_png: bytes, name: str, tmp_path: Path) -> None:
    (outcome,) = outcomes(painter, photo=[name], data=[grey_png])
    assert "no path below a folder" in outcome["error"]
    assert not list(tmp_path.rglob("*.png"))


def test_a_photo_that_the_model_fails_on_does_not_take_others_along(painter: Painter, grey_png: bytes) -> None:
    draw_all = painter._colorizer.draw_all
    seen: list[int] = []

    def fail(tasks: Any) -> Any:
        assert sys.exception() is None, "an error still holds the memory of the pass that failed"
        seen.append(len(tasks))
        if len(tasks) > 1 or len(seen) == 2:  # with others, and then the first alone
            raise NonFiniteError("not a number")
        return draw_all(tasks)

    painter._colorizer.draw_all = fail  # type: ignore[method-assign]
    first, second = outcomes(painter, photo=["a", "b"], data=[grey_png, grey_png])
    assert seen == [2, 1, 1]
    assert (first["error"], second["error"]) == ("not a number", None)


def test_other_options_want_another_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / ASKED_FILE).write_text(json.dumps({"n": 3, "seed": 7}))
    refused = CliRunner().invoke(cli.app, ["bulk", str(tmp_path / "in"), str(tmp_path), "--seed", "7"])
    assert refused.exit_code == 2
    assert "choose another folder" in refused.stderr

"""`tintflow bulk` without Ray: an actor's work on batches, and the command; tests/cluster covers Ray itself."""

import errno
import json
import os
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.colorizer import CinnColorizer
from model.errors import NonFiniteError
from service.cli import program as cli
from service.cli.bulk import ASKED_FILE, REPORT, TOLD
from service.cluster import bulk
from service.cluster.bulk import Asked, Outcome, Painter
from service.settings import Settings
from tests import programs
from tests.service.files import opened

command = import_module("service.cli.bulk")
ASKED = Asked(n=2, seed=7, temperature=None, output_format="png", output_compression=90)


@pytest.fixture
def painter(colorizer: CinnColorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    load = Mock(return_value=colorizer)
    monkeypatch.setattr(bulk, "load_colorizer", load)
    monkeypatch.setattr("structlog.configure", lambda **options: None)
    made = Painter(ASKED, str(tmp_path / "out"))
    load.assert_called_once_with(Settings())
    yield made
    made._decoders.close()


@pytest.fixture
def table_painter(painter: Painter) -> Painter:
    """A painter for tables, with images in column `data` and names in `photo`."""
    painter._columns = ("data", "photo")
    return painter


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
    second = opened((tmp_path / "out" / good["files"][1]).read_bytes())
    assert "colorization seed=7 index=1 " in second.info["xmp"].decode()
    assert {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.*")} == set(good["files"])


def test_previews_are_small(table_painter: Painter, grey_png: bytes, tmp_path: Path) -> None:
    table_painter._asked = replace(ASKED, output_max_side=30)
    (outcome,) = outcomes(table_painter, photo=["a"], data=[grey_png])
    assert [opened((tmp_path / "out" / file).read_bytes()).size for file in outcome["files"]] == [(30, 18)] * 2


def test_what_is_there_is_not_made_again(table_painter: Painter, grey_png: bytes, tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {"photo": ["a", "b"], "data": [grey_png, grey_png]}
    first = outcomes(table_painter, **rows)
    lost = tmp_path / "out" / first[1]["files"][1]
    kept = tmp_path / "out" / first[0]["files"][0]
    lost.unlink()
    before = kept.stat().st_mtime_ns
    a, b = outcomes(table_painter, **rows)
    assert (a["bits_per_dim"], a["error"]) == ([], None)
    assert b["bits_per_dim"] == first[1]["bits_per_dim"]
    assert lost.exists()
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../b", ""])
def test_a_name_leads_nowhere_else(table_painter: Painter, grey_png: bytes, name: str, tmp_path: Path) -> None:
    (outcome,) = outcomes(table_painter, photo=[name], data=[grey_png])
    assert "not a relative path" in outcome["error"]
    assert not list(tmp_path.rglob("*.png"))


def test_a_photo_that_the_model_fails_on_does_not_take_others_along(table_painter, grey_png, monkeypatch) -> None:
    draw_all = table_painter._colorizer.draw_all
    seen: list[int] = []

    def fail(tasks: Any) -> Any:
        assert sys.exception() is None, "an error still holds the memory of the pass that failed"
        seen.append(len(tasks))
        if len(tasks) > 1 or len(seen) == 2:  # fails together with others, and then for the first photo alone
            raise NonFiniteError("not a number")
        return draw_all(tasks)

    monkeypatch.setattr(table_painter._colorizer, "draw_all", fail)
    first, second = outcomes(table_painter, photo=["a", "b"], data=[grey_png, grey_png])
    assert seen == [2, 1, 1]
    assert (first["error"], second["error"]) == ("not a number", None)


def test_photos_of_many_pixels_are_not_held_together(table_painter: Painter, grey_png: bytes, monkeypatch) -> None:
    draw_all = Mock(wraps=table_painter._colorizer.draw_all)
    monkeypatch.setattr(table_painter._colorizer, "draw_all", draw_all)
    monkeypatch.setattr(bulk, "PIXELS_AT_ONCE", 2 * 40 * 24)
    made = outcomes(table_painter, photo=["a", "b", "c"], data=[grey_png] * 3)
    assert [len(call.args[0]) for call in draw_all.call_args_list] == [2, 1]
    assert [each["error"] for each in made] == [None] * 3


def test_a_full_disk_is_an_outcome_and_leaves_no_part(table_painter, grey_png, tmp_path: Path, monkeypatch) -> None:
    def fill(file: Path, data: bytes) -> None:
        with file.open("wb") as out:
            out.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    (outcome,) = outcomes(table_painter, photo=["a"], data=[grey_png])
    assert "No space left" in outcome["error"]
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("image", [None, 7, "text", {"path": "a.png"}], ids=repr)
def test_rows_without_an_image_are_outcomes(table_painter: Painter, image: object) -> None:
    (outcome,) = outcomes(table_painter, photo=["a"], data=[image])
    assert "expected the bytes of an image" in outcome["error"]


def test_images_come_as_hugging_face_has_them_and_names_are_numbers(table_painter: Painter, grey_png: bytes) -> None:
    (outcome,) = outcomes(table_painter, photo=[12], data=[{"bytes": grey_png, "path": None}])
    assert outcome["files"] == ["12-7-0.png", "12-7-1.png"]


def test_long_names_are_shortened(table_painter: Painter, grey_png: bytes, tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {"photo": [f"box/{'x' * 255}{i}" for i in range(2)], "data": [grey_png] * 2}
    made = outcomes(table_painter, **rows)
    assert [each["error"] for each in made] == [None, None]
    files = {file for each in made for file in each["files"]}
    assert files == {file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out/box").iterdir()}
    assert len(files) == 4
    assert [each["bits_per_dim"] for each in outcomes(table_painter, **rows)] == [[], []]


def test_names_of_files_need_not_be_text(painter: Painter, grey_png: bytes, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(name)).write_bytes(grey_png)
    (outcome,) = outcomes(painter, photo=[name], target=[b"caf\xe9"])
    assert outcome["error"] is None
    assert os.fsencode(tmp_path) + b"/out/caf\xe9-7-0.png" in map(os.fsencode, (tmp_path / "out").iterdir())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs the command on the folder `in` of one photo, without Ray, and checks its exit status.

    Its arguments replace the actors' outcomes.
    """
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    monkeypatch.setattr(command, "on_ray", lambda *_: nullcontext())
    monkeypatch.setattr(command, "read_folder", lambda photos: bulk.Source(None, len(photos)))
    monkeypatch.setattr(command, "read_parquet", lambda rows, *_: bulk.Source(None, sum(rows.values())))

    def invoke(*made: Outcome, photos: object = tmp_path / "in", status: int = 0) -> Any:
        monkeypatch.setattr(command, "colorize_all", lambda *_: iter(made))
        return programs.run(cli.app, "bulk", photos, tmp_path / "out", "--seed", 7, status=status)

    return invoke


def reported(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "out" / REPORT).read_text().splitlines()]


def test_what_was_made_but_not_told_of_before_a_kill_is_told_of(run: Any, tmp_path: Path) -> None:
    run(Outcome("a", ["a-7-0.jpg"], [2.5]))
    with (tmp_path / "out" / REPORT).open("ab") as report:
        report.write(b'{"photo": "b", "fi\xe9\n')  # a line cut by a kill
    again = run(Outcome("a", ["a-7-0.jpg"], []), Outcome("b", ["b-7-0.jpg"], []))
    assert "0 done, 2 done before, 0 not done" in again.stdout
    lines = (tmp_path / "out" / REPORT).read_bytes().splitlines()
    assert [json.loads(line)["photo"] for line in (lines[0], *lines[2:])] == ["a", "b"]


def test_an_empty_folder_says_so(run: Any, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.png").unlink()
    assert "no photos found" in run(status=2).stderr
    assert [each["error"] for each in reported(tmp_path)] == ["no photos found"]


def test_a_broken_table_is_reported_and_not_the_end(run: Any, tmp_path: Path) -> None:
    (tmp_path / "in" / "bad.parquet").write_bytes(b"no table")
    pq.write_table(pa.table({"image": [b""], "name": ["a"]}), tmp_path / "in" / "good.parquet")
    pq.write_table(pa.table({"photo": [b""], "name": ["b"]}), tmp_path / "in" / "other.parquet")
    assert "1 done, 0 done before, 2 not done" in run(Outcome("a", ["a-7-0.jpg"], [2.5]), status=1).stdout
    bad, other, good = reported(tmp_path)
    assert [Path(each["photo"]).name for each in (bad, other)] == ["bad.parquet", "other.parquet"]
    assert other["error"] == "expected a column 'image', got 'photo', 'name'"
    assert good["photo"] == "a"


@pytest.mark.parametrize("text", ['{"n": ', "{}", "7"])
def test_a_damaged_note_of_the_options_is_told_of(run: Any, tmp_path: Path, text: str) -> None:
    """A full disk leaves such a file."""
    (tmp_path / "out").mkdir()
    note = tmp_path / "out" / ASKED_FILE
    note.write_text(text)
    assert run(status=2).stderr == f"{note}: the file is damaged; delete it, or choose another folder\n"
    assert note.read_text() == text


def test_a_note_of_the_options_is_never_there_in_part(run: Any, tmp_path: Path, monkeypatch: Any) -> None:

    def fill(file: Path, text: str) -> None:
        file.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill)
    assert run(status=2).stderr == f"{tmp_path / 'out' / ASKED_FILE}: No space left on device\n"
    assert not list((tmp_path / "out").iterdir())


def test_nodes_that_work_in_another_folder_find_the_photos(run: Any, tmp_path: Path, monkeypatch) -> None:
    read = Mock(return_value=bulk.Source(None, 1))
    monkeypatch.setattr(command, "read_folder", read)
    monkeypatch.chdir(tmp_path)
    run(photos="in")
    assert read.call_args.args == ({"a": tmp_path / "in" / "a.png"},)


def test_of_many_bad_photos_the_first_are_shown_and_all_reported(run: Any, tmp_path: Path) -> None:
    done = run(*(Outcome(f"bad-{i}", [], [], "why") for i in range(TOLD + 5)), status=1)
    assert f"{TOLD + 5} not done" in done.stdout
    assert (f"bad-{TOLD - 1}" in done.stderr, f"bad-{TOLD}" in done.stderr) == (True, False)
    assert "and 5 more" in done.stderr
    assert len(reported(tmp_path)) == TOLD + 5


def test_other_options_want_another_folder(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ASKED_FILE).write_text(json.dumps(asdict(ASKED)))
    assert "made with other options" in run(status=2).stderr

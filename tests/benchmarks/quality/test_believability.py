"""Blind ratings: sheets do not reveal the method, and ratings are counted correctly."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality.believability import _rung, app, read_choices, read_ratings
from benchmarks.quality.levels import measure_levels
from model.colorizer import CinnColorizer
from model.drawing.latents import draw_latents
from model.errors import InputError
from model.flow.checkpoint import Checkpoint
from tests import programs
from tests.benchmarks.quality.conftest import is_shown


def run(*words: object, status: int = 0) -> str:
    return programs.run(app, *words, status=status).output


def make(photos: Path, out: Path, weights: object, *options: object) -> list[dict[str, Any]]:
    """Make sheets with weights as the method `tiny`, and return their key."""
    run("make", "--data", photos, "--out", out, "--method", f"tiny={weights}", *options)
    return json.loads((out / "key.json").read_text())


@pytest.fixture(scope="module")
def sheets(photos: Path, tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sheets and key of nine photos."""
    folder = tmp_path_factory.mktemp("sheets")
    make(photos, folder, f"{tiny_file}@0.5", "--rung", 64, "--each", 3)
    return folder


def test_every_photo_once_and_the_key_tells_what_it_is(photos: Path, sheets: Path) -> None:
    """A rung at the finest size is nearly the photo."""
    key = json.loads((sheets / "key.json").read_text())
    assert [entry["number"] for entry in key] == list(range(1, 10))
    assert len({entry["photo"] for entry in key}) == 9
    methods = [entry["method"] for entry in key]
    assert {name: methods.count(name) for name in methods} == {"truth": 3, "tiny": 3, "truth up to 64²": 3}
    assert methods != sorted(methods)
    for place, entry in enumerate(key):
        assert is_shown(photos / entry["photo"], sheets, place) is (entry["method"] != "tiny")
    with Image.open(sheets / "sheet-01.png") as sheet:
        assert sheet.size == (4 * 264, 3 * 282)
        assert not sheet.info.get("Comment")


def test_sheets_that_people_may_be_rating_are_kept(photos: Path, sheets: Path) -> None:
    before = {path.name: path.read_bytes() for path in sheets.iterdir()}
    assert "out: expected a new folder" in run("make", "--data", photos, "--out", sheets, "--each", 1, status=2)
    assert {path.name: path.read_bytes() for path in sheets.iterdir()} == before


def test_a_rung_has_the_grain_that_suits_its_size(
    tiny_checkpoint: Checkpoint, graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Mock(wraps=draw_latents)
    monkeypatch.setattr("benchmarks.quality.believability.draw_latents", draw)
    grainy = replace(tiny_checkpoint, temperature=0.5, temperature_exponents=(1.0, 0.1, 0.1, 0.1))
    paint = _rung(CinnColorizer(grainy, "cpu", graphs), 8)
    for side in (256, 600):
        paint(np.full((side, side, 3), 99, np.uint8), 0)
    assert [call.args[1][-1] for call in draw.call_args_list] == pytest.approx([0.5**0.1, 0.5**0.84])


@pytest.mark.parametrize(
    ("options", "side", "shapes"),
    [
        (["--pair", "truth:tiny", "--each", 3], 300, 2 * [(2 * 326, 2 * 308, 3)]),
        (["--pair", "truth:tiny", "--each", 3], 600, 3 * [(626, 2 * 608, 3)]),
        (["--each", 1], 600, 2 * [(626, 608, 3)]),
    ],
)
def test_large_pictures_have_a_sheet_each_but_pairs_stay_side_by_side(
    photos: Path, tiny_file: Path, tmp_path: Path, options: list[object], side: int, shapes: list[tuple[int, ...]]
) -> None:
    make(photos, tmp_path, tiny_file, *options, "--side", side)
    sheets = [np.asarray(Image.open(path)) for path in tmp_path.glob("sheet-*.png")]
    assert [sheet.shape for sheet in sheets] == shapes
    # pictures have the given width, and three quarters of it as height
    assert all(np.ptp(sheet[18 : 18 + side * 3 // 4, side - 10 : side + 4]) > 0 for sheet in sheets)


def ratings(path: Path, rows: list[str], columns: str = "number,real,stain,score") -> Path:
    empty = "," * columns.count(",")
    path.write_text("\n".join((columns, *rows, empty, "")), "utf-8-sig")  # as spreadsheets write it
    return path


def score(folder: Path, methods: list[object], columns: str, *viewers: list[str]) -> str:
    """Score viewers' ratings of one photo for each method."""
    key = [{"viewer": 1, "number": n, "photo": f"{n}.png", "method": method} for n, method in enumerate(methods, 1)]
    (folder / "key.json").write_text(json.dumps(key))
    files = [ratings(folder / f"{i}.csv", rows, columns) for i, rows in enumerate(viewers)]
    return run("score", "--key", folder / "key.json", *files)


def test_shares_are_counted(tmp_path: Path) -> None:
    one, two = ["1,1,0,5", "2,0,1,1", "3,1,0,4", "4,1,0,4"], ["1,1,0,5", "2,1,1,10", "3,1,0,4", "4,0,0,3"]
    scored = score(tmp_path, ["a", "a", "b", "b"], "number,real,stain,score", one, two)
    lines = {line.split()[1]: line for line in scored.splitlines() if "±" in line}
    assert all(text in lines["a"] for text in (" 75 ±", " 50 ±", " 5.25 ±"))
    assert all(text in lines["b"] for text in (" 75 ±", " 0 ±"))


@pytest.mark.parametrize("text", ["", "{}]", "[1]", '[{"number": 1}]'])
def test_a_key_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text)
    said = run("score", "--key", tmp_path / "key.json", ratings(tmp_path / "one.csv", ["1,1,0,5"]), status=2)
    assert said == f"key: expected the key that `make` wrote, got {tmp_path}/key.json\n"


def test_methods_rotate_over_viewers_and_are_compared_photo_by_photo(
    photos: Path, tiny_file: Path, tmp_path: Path
) -> None:
    key = make(photos, tmp_path, tiny_file, "--each", 4, "--rotate")
    seen = [{e["photo"]: e["method"] for e in key if e["viewer"] == viewer} for viewer in (1, 2)]
    assert len(seen[0]) == 8
    assert all({seen[0][photo], seen[1][photo]} == {"tiny", "truth"} for photo in seen[0])
    assert [*seen[0]] != [*seen[1]]
    files = []
    for viewer in (1, 2):
        assert (tmp_path / f"viewer-{viewer}" / "sheet-01.png").exists()
        rows = [f"{e['number']},{int(e['method'] == 'truth')},0,3" for e in key if e["viewer"] == viewer]
        files.append(ratings(tmp_path / f"{viewer}.csv", rows))
    scored = run("score", "--key", tmp_path / "key.json", *files)
    assert "100 ± 0" in next(line for line in scored.splitlines() if "truth" in line).rpartition(" 3 ")[2]
    assert "2 files" in run("score", "--key", tmp_path / "key.json", files[0], status=2)


@pytest.mark.parametrize(
    "rows",
    [
        ["1,1,0,5"],
        ["1,1,0,5", "2,2,0,1"],
        ["1,1,0,5", "2,1,0,11"],
        ["1,1,0,5", "2,x,0,1"],
        ["1,1,0,5", "3,1,0,1"],
        ["1,1,0,5", "2,1,0,1", "2,0,1,1"],
        ["1,1,0,5", "2,1,0,1", "nan,1,0,1"],
    ],
)
def test_ratings_that_do_not_fit_are_refused(tmp_path: Path, rows: list[str]) -> None:
    with pytest.raises(InputError, match="ratings"):
        read_ratings(ratings(tmp_path / "r.csv", rows), {1: "a", 2: "b"})


def test_a_pair_shows_one_photo_in_two_versions(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    key = make(photos, tmp_path, tiny_file, "--pair", "tiny:truth", "--each", 9)
    assert len({entry["photo"] for entry in key}) == 9
    assert {tuple(entry["method"]) for entry in key} == {("tiny", "truth"), ("truth", "tiny")}
    for place, entry in enumerate(key[:6]):
        assert is_shown(photos / entry["photo"], tmp_path, 2 * place + entry["method"].index("truth"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--pair tiny", "two of"),
        ("--pair tiny:tiny", "two of"),
        ("--pair tiny:other", "two of"),
        ("--pair tiny:truth:truth", "two of"),
        ("--method mine=weights.safetensors@warm", "method: expected numbers, got warm"),
        ("", "a file/sheets"),
    ],
)
def test_what_cannot_be_used_is_named_before_anything_is_drawn(
    photos: Path, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setattr("benchmarks.quality.believability.shrink", None)
    words = ("--data", photos, "--out", tmp_path / "a file" / "sheets", "--method", f"tiny={tiny_file}", "--each", 1)
    assert message in run("make", *words, *options.split(), status=2)


def test_choices_are_counted_whichever_side_they_were_on(tmp_path: Path) -> None:
    one, two = ["1,left", "2,right", "3,right", "4,left"], ["1,left", "2,left", "3,right", "4,left"]
    scored = score(tmp_path, 2 * [["a", "b"]] + 2 * [["b", "a"]], "number,better", one, two)
    assert "62.5 ±" in next(line for line in scored.splitlines() if "a : b" in line)


def test_a_choice_is_left_or_right(tmp_path: Path) -> None:
    choices = ratings(tmp_path / "r.csv", ["1,left", "2,middle"], "number,better")
    with pytest.raises(InputError, match="ratings: expected better left or right"):
        read_choices(choices, {1: ("a", "b"), 2: ("a", "b")})


def test_levels_are_measured_alone(photos: Path, colorizer: CinnColorizer) -> None:
    found = measure_levels(colorizer, np.asarray(Image.open(photos / "0.png")), 0)
    assert set(found) == {
        "nats 8²", "energy 8²", *(f"{what} {size}²" for what in ("left", "bicubic") for size in (16, 32, 64)),
    }  # fmt: skip
    assert all(np.isfinite(value) for value in found.values())
    assert found["energy 8²"] > 0

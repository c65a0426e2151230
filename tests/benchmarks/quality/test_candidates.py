"""Draws to rate: sheets match the key, no viewer sees a photo twice, and the reward model learns from the folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.quality.candidates import main
from model.flow.checkpoint import load_checkpoint
from model.pixels.color import photo_to_lightness
from tests.benchmarks.quality.conftest import enlarged, is_shown, shown
from tests.networks import changed_parts
from tests.programs import run
from training.__main__ import app as training
from training.rated import read_votes

PHOTOS, DRAWS = 4, 3


def make(photos: Path, weights: Path, out: Path, *options: object) -> list[dict[str, Any]]:
    """Draw candidates of four photos, unless the options say otherwise, and return their key."""
    words = ["--data", photos, "--weights", weights, "--out", out, "--draws", DRAWS, "--temperature", 0.6]
    run(main, *words, "--photos", PHOTOS, "--true-photos", 0, *options)
    return json.loads((out / "key.json").read_text())


@pytest.fixture(scope="module")
def candidates(photos: Path, tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draws by the teacher, two for each viewer."""
    folder = tmp_path_factory.mktemp("candidates")
    make(photos, tiny_file, folder, "--each", 2)
    return folder


def test_no_viewer_sees_a_photo_twice_and_every_draw_is_seen_once(candidates: Path) -> None:
    key = json.loads((candidates / "key.json").read_text())
    assert len(key) == DRAWS * PHOTOS / 2
    for pictures in key:
        assert len({photo for photo, _ in pictures.values()}) == len(pictures) == 2
    seen = [tuple(each) for pictures in key for each in pictures.values()]
    assert sorted(seen) == [(photo, draw) for photo in range(PHOTOS) for draw in range(DRAWS)]


def test_true_photos_are_among_the_pictures_and_teach_nothing(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    key = make(photos, tiny_file, tmp_path, "--photos", 3, "--true-photos", 2)
    assert len(key) == DRAWS
    for viewer, pictures in enumerate(key, 1):
        assert list(pictures.values()).count(None) == 2
        for number, drawn in pictures.items():
            place = tmp_path / f"viewer-{viewer}", int(number) - 1
            assert any(is_shown(photo, *place) for photo in photos.iterdir()) is (drawn is None)
    lines = [f"{number},{1 if drawn is None else drawn[1]}" for number, drawn in key[0].items()]
    votes = []
    for said in (lines, [line for line, drawn in zip(lines, key[0].values(), strict=True) if drawn]):
        (tmp_path / "ratings-1.csv").write_text("\n".join(["number,score", *said]))
        votes.append(read_votes(tmp_path))
    (tmp_path / "ratings-1.csv").write_text("\n".join(["number,score", *(line for line in lines if line not in said)]))
    assert np.isnan(read_votes(tmp_path)).all()  # only true photos were rated
    np.testing.assert_array_equal(*votes)
    assert np.isfinite(votes[0]).sum() == 3


def test_a_row_holds_all_draws_of_one_photo(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    (rows,) = make(photos, tiny_file, tmp_path, "--side-by-side", "--photos", 9, "--draws", 2)
    for row in range(1, 10):
        places = [rows[f"{row}{letter}"] for letter in "AB"]
        assert len({photo for photo, _ in places}) == 1
        assert {draw for _, draw in places} == {0, 1}
    first, second = (shown(tmp_path / "viewer-1", place) for place in (0, 1))
    lightness = photo_to_lightness(enlarged(photos / f"{rows['1A'][0]}.png"))
    for each in (first, second):  # colors differ, but both have the photo's lightness
        assert abs(photo_to_lightness(each) - lightness).mean() < 2
    assert abs(np.subtract(first, second, dtype=int)).mean() > 1


def test_the_reward_model_learns_from_the_folder(candidates: Path, tiny_file: Path, tmp_path: Path) -> None:
    rated = shutil.copytree(candidates, tmp_path / "rated")
    for viewer, pictures in enumerate(json.loads((rated / "key.json").read_text()), 1):
        lines = [f"{number},{draw}" for number, (_, draw) in pictures.items()]
        (rated / f"ratings-{viewer}.csv").write_text("\n".join(["number,score", *lines]))
    run(training, "reward", "--data", rated, "--init", tiny_file, "--out", tmp_path / "run", "--steps", 3)
    before, after = (load_checkpoint(each).cinn for each in (tiny_file, tmp_path / "run" / "cinn.safetensors"))
    assert changed_parts(before, after) == {"reward"}


def test_draws_are_the_teachers_or_the_services_own(
    photos: Path, tiny_file: Path, candidates: Path, tmp_path: Path
) -> None:
    make(photos, tiny_file, tmp_path, "--own-draws")
    guided, own = (np.load(folder / "draws.npz")["cells"] for folder in (candidates, tmp_path))
    assert guided.shape == own.shape
    assert abs(guided - own).max() > 1e-3

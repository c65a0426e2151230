"""Draws to rate: sheets and key agree, no viewer sees a photo twice, and the reward model learns from the folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from benchmarks.quality.candidates import app
from model.flow.checkpoint import load_checkpoint
from training.__main__ import app as training
from training.rated import read_votes

PHOTOS, DRAWS = 6, 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(PHOTOS):
        gray = Image.fromarray(rng.integers(40, 220, (3, 4), np.uint8)).resize((80, 60), Image.Resampling.BICUBIC)
        gray.convert("RGB").save(folder / f"{i:02}.png")
    return folder


def make(photos: Path, weights: Path, out: Path, *options: object) -> list[dict[str, Any]]:
    words = ["--data", photos, "--weights", weights, "--out", out, "--draws", DRAWS, "--temperature", 0.6, *options]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return json.loads((out / "key.json").read_text())


def picture(folder: Path, viewer: int, place: int) -> NDArray[np.int64]:
    sheet = np.asarray(Image.open(folder / f"viewer-{viewer}" / f"sheet-{place // 12 + 1:02}.png")).astype(int)
    left, top = place % 4 * 264 + 4, place % 12 // 4 * 282 + 18
    return sheet[top : top + 192, left : left + 256]


def test_no_viewer_sees_a_photo_twice_and_every_draw_is_seen_once(
    photos: Path, tiny_file: Path, tmp_path: Path
) -> None:
    key = make(photos, tiny_file, tmp_path, "--each", 3)
    assert len(key) == DRAWS * PHOTOS / 3
    for shown in key:
        assert len({photo for photo, _ in shown.values()}) == len(shown) == 3
    seen = [tuple(each) for shown in key for each in shown.values()]
    assert sorted(seen) == [(photo, draw) for photo in range(PHOTOS) for draw in range(DRAWS)]


def test_an_unusable_out_is_named_before_anything_is_drawn(
    photos: Path, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setattr("benchmarks.quality.candidates.shrink", None)
    (tmp_path / "rated").mkdir()
    (tmp_path / "rated" / "key.json").write_text("[]")  # that ratings belong to
    for name in ("a file/sheets", "rated"):
        words = ["--data", photos, "--weights", tiny_file, "--out", tmp_path / name]
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert (done.exit_code, name in done.output) == (2, True)


def test_true_photos_are_among_the_pictures_and_teach_nothing(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    key = make(photos, tiny_file, tmp_path, "--photos", PHOTOS - 2, "--true-photos", 2)
    assert len(key) == DRAWS
    for viewer, shown in enumerate(key, 1):
        true = [int(number) for number, drawn in shown.items() if drawn is None]
        assert len(true) == 2
        drawn = next(int(number) for number, draw in shown.items() if draw is not None)
        assert np.ptp(picture(tmp_path, viewer, drawn - 1), axis=2).max() > 0
        for number in true:
            seen = picture(tmp_path, viewer, number - 1)
            assert np.ptp(seen, axis=2).max() == 0  # these photos are gray
    lines = [f"{number},{1 if drawn is None else drawn[1]}" for number, drawn in key[0].items()]
    votes = []
    for said in (lines, [line for line, drawn in zip(lines, key[0].values(), strict=True) if drawn]):
        (tmp_path / "ratings-1.csv").write_text("\n".join(["number,score", *said]))
        votes.append(read_votes(tmp_path))
    (tmp_path / "ratings-1.csv").write_text("\n".join(["number,score", *(line for line in lines if line not in said)]))
    assert np.isnan(read_votes(tmp_path)).all()  # of true photos alone
    np.testing.assert_array_equal(*votes)
    assert np.isfinite(votes[0]).sum() == PHOTOS - 2


def test_a_row_holds_all_draws_of_one_photo(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    (shown,) = make(photos, tiny_file, tmp_path, "--side-by-side")
    for row in range(1, PHOTOS + 1):
        places = [shown[f"{row}{letter}"] for letter in "ABC"]
        assert len({photo for photo, _ in places}) == 1
        assert {draw for _, draw in places} == set(range(DRAWS))
    first, second = picture(tmp_path, 1, 0), picture(tmp_path, 1, 1)
    gray = np.asarray(Image.open(photos / f"{shown['1A'][0]:02}.png").resize((256, 192), Image.Resampling.BICUBIC))
    for each in (first, second):  # colors differ, but both have the photo's lightness
        assert abs(each.mean(2) - gray.mean(2)).mean() < 25
    assert abs(first - second).mean() > 1


def test_the_reward_model_learns_from_the_folder(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    key = make(photos, tiny_file, tmp_path, "--each", PHOTOS)
    for viewer, shown in enumerate(key, 1):
        lines = [f"{number},{draw}" for number, (_, draw) in shown.items()]
        (tmp_path / f"ratings-{viewer}.csv").write_text("\n".join(["number,score", *lines]))
    words = ["reward", "--data", tmp_path, "--init", tiny_file, "--out", tmp_path / "run", "--steps", 3]
    done = CliRunner().invoke(training, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    before, after = (load_checkpoint(each).cinn for each in (tiny_file, tmp_path / "run" / "cinn.safetensors"))
    changed = {name for name, value in after.state_dict().items() if not torch.equal(value, before.state_dict()[name])}
    assert changed
    assert all(name.startswith("reward.") for name in changed)


def test_draws_are_the_teachers_or_the_services_own(photos: Path, tiny_file: Path, tmp_path: Path) -> None:
    cells = []
    for name, options in {"guided": [], "own": ["--own-draws"]}.items():
        make(photos, tiny_file, tmp_path / name, "--photos", 2, "--true-photos", 0, *options)
        cells.append(np.load(tmp_path / name / "draws.npz")["cells"])
    assert cells[0].shape == cells[1].shape
    assert abs(cells[0] - cells[1]).max() > 1e-3

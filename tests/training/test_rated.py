"""Training of the reward model: strict reading of ratings, and choices that viewers prefer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.sizes import CELLS
from tests.networks import TINY, changed_parts
from training.data import NoPhotosError
from training.loop import LoopConfig
from training.objectives.reward import RewardObjective
from training.rated import RatedBatch, RatedDataset, read_votes
from training.run import run_reward

PHOTOS, DRAWS = 40, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Draws rated by a viewer who likes green, regardless of densities."""
    rng = np.random.default_rng(0)
    cells = rng.standard_normal((PHOTOS, DRAWS, 1, 2)) + 0.3 * rng.standard_normal((PHOTOS, DRAWS, CELLS, 2))
    cells = cells.astype(np.float32)
    photo = rng.standard_normal((PHOTOS, CELLS, TINY.coarsest.width)).astype(np.float16)
    np.savez(tmp_path / "draws.npz", photo=photo, cells=cells, densities=0 * cells)
    key = {f"{p}-{k}": [p, k] for p in range(PHOTOS) for k in range(DRAWS)}
    (tmp_path / "key.json").write_text(json.dumps([key]))
    lines = [f"{number},{-cells[p, k, :, 0].mean():.4f}" for number, (p, k) in key.items()]
    (tmp_path / "ratings-1.csv").write_text("\n".join(["number,score", *lines]))
    return tmp_path


def test_it_learns_to_choose_what_people_prefer(folder: Path, tiny_file: Path, tmp_path: Path) -> None:
    loop = LoopConfig(steps=60, batch=8, learning_rate=1e-2, ema_decay=0.9, warmup_steps=5, checkpoint_steps=20)
    path = run_reward([folder], tiny_file, tmp_path / "run", "rated", loop)
    assert path is not None
    trained, before = load_checkpoint(path), load_checkpoint(tiny_file)
    assert trained.name == "rated"
    assert changed_parts(before.cinn, trained.cinn) == {"reward"}
    (batch,) = RatedDataset([folder], held_out=0.25).held_out_batches(PHOTOS)
    chosen = []
    for cinn in (before.cinn, trained.cinn):
        best = RewardObjective(cinn.reward.eval()).rewards(batch).argmax(1)
        chosen.append((best == batch.votes.argmax(1)).float().mean().item())
    assert chosen[1] >= 0.8 > chosen[0]


def test_draws_that_nobody_has_rated_do_not_count(folder: Path, tiny_checkpoint: Checkpoint) -> None:
    (batch,) = RatedDataset([folder], held_out=0.5).held_out_batches(PHOTOS)
    objective = RewardObjective(tiny_checkpoint.cinn.reward)
    votes = batch.votes.clone()
    votes[:, 2] = torch.nan
    changed = batch.cells.clone()
    changed[:, 2] += 5
    unrated = RatedBatch(batch.photo, batch.cells, batch.densities, votes)
    losses = [objective.held_out(each, torch.Generator()) for each in (unrated, unrated._replace(cells=changed))]
    assert torch.isfinite(losses[0]).all()
    assert torch.equal(*losses)


def test_each_viewer_counts_by_a_scale_of_their_own(folder: Path) -> None:
    """A second viewer with the same preferences on a stricter and narrower scale changes nothing."""
    key = json.loads((folder / "key.json").read_text())
    (folder / "key.json").write_text(json.dumps([*key, *key, *key]))  # the third viewer has not rated yet
    before = read_votes(folder)
    first = (folder / "ratings-1.csv").read_text().splitlines()
    strict = [f"{number},{float(score) / 7 - 3}" for number, score in (line.split(",") for line in first[1:])]
    (folder / "ratings-2.csv").write_text("\n".join([first[0], *strict]))
    np.testing.assert_allclose(read_votes(folder), before, atol=1e-6)
    assert np.isfinite(before).all()


def test_a_byte_order_mark_an_empty_row_and_remarks_in_other_encodings_change_nothing(folder: Path) -> None:
    before = read_votes(folder)
    text = (folder / "ratings-1.csv").read_text()
    (folder / "ratings-1.csv").write_text(f"{text}\n,\n", "utf-8-sig")
    np.testing.assert_array_equal(read_votes(folder), before)
    (folder / "ratings-1.csv").write_text(
        text.replace("\n", ",très joli\n").replace("très joli", "remark", 1), "cp1252"
    )
    np.testing.assert_array_equal(read_votes(folder), before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number,score\n0-0,much", "numbers"),
        ("number,score\n0-0,1\n0-1,nan", "finite numbers"),
        ("number,score\n0-0,1\n0-1,2\n0-1,3", "once in .*csv, got 0-1"),
        ("number,score\n99-0,1", "99-0"),
        ("number,beauty\n0-0,1", "number and some of"),
        ("score\n1", "number and some of"),
        ("", "number and some of"),
    ],
)
def test_ratings_that_do_not_fit_are_refused(folder: Path, text: str, said: str) -> None:
    (folder / "ratings-1.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_votes(folder)


def test_a_single_rated_draw_teaches_nothing(folder: Path) -> None:
    (folder / "ratings-1.csv").write_text("number,score\n0-0,1\n1-0,2\n2-0,3")
    with pytest.raises(
        NoPhotosError, match=r"no photo with two rated draws.* ratings-1\.csv and so on beside key\.json"
    ):
        RatedDataset([folder], held_out=0.1)


def test_a_run_folder_belongs_to_its_ratings_and_weights(
    folder: Path, tiny_file: Path, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    loop = LoopConfig(steps=1, batch=8)
    for _ in range(2):  # the same command goes on
        assert run_reward([folder], tiny_file, tmp_path / "run", "rated", loop) is not None
    other = tmp_path / "other.safetensors"
    save_checkpoint(replace(tiny_checkpoint, name="other"), other)
    with pytest.raises(InputError, match="out: expected a new folder"):
        run_reward([folder], other, tmp_path / "run", "rated", loop)
    with pytest.raises(InputError, match="out: expected a new folder"):
        run_reward([folder, folder], tiny_file, tmp_path / "run", "rated", loop)
    *lines, last = (folder / "ratings-1.csv").read_text().splitlines()
    (folder / "ratings-1.csv").write_text("\n".join([*lines, last.split(",")[0] + ",9"]))
    with pytest.raises(InputError, match="out: expected a new folder"):
        run_reward([folder], tiny_file, tmp_path / "run", "rated", loop)

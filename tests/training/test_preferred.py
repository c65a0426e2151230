"""Comparing draws: what each is worth is kept, and the decoder learns to draw so much more of what is worth more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from model.errors import InputError
from model.flow.checkpoint import Checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from model.flow.sizes import CELLS
from tests.networks import TINY, draw, spread
from training.draws import COMPARED, DrawConfig, PreferredBatch, PreferredDataset, build_draws
from training.features import build_features
from training.loop import LoopConfig, Trainer
from training.objectives.preferred import STRENGTH, PreferredObjective
from training.run import RunConfig, run
from training.teacher import draw_distilled, worth_of

WIDTH, TRIES = TINY.coarsest.width, 8


@pytest.fixture
def cinn() -> Cinn:
    cinn = Cinn(TINY)
    spread(cinn.coarsest, cinn.prior, cinn.distilled, gain=1.0)
    spread(cinn.reward, seed=4)
    return cinn.eval().requires_grad_(False)


@pytest.fixture
def drawn(cinn: Cinn, photos: Path, tmp_path: Path) -> Path:
    """All draws of some photos."""
    build_features(cinn.network, photos, tmp_path / "features", 0)
    build_draws(cinn, tmp_path / "features", tmp_path / "draws", DrawConfig(own=True, tries=TRIES, compare=True))
    return tmp_path / "draws"


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def batch(cinn: Cinn, worth: Tensor, given: Tensor | None = None) -> PreferredBatch:
    rows, draws = worth.shape
    photo = draw(rows, CELLS, WIDTH, dtype=torch.float32)
    cells = draw_distilled(cinn, photo.repeat_interleave(draws, 0), 0.8, generator()).view(rows, draws, CELLS, 2)
    return PreferredBatch(photo, cells, torch.zeros(rows, CELLS) if given is None else given, worth)


def test_all_draws_are_kept_with_what_they_are_worth(cinn: Cinn, drawn: Path) -> None:
    arrays = {name: np.load(drawn / f"{name}.npy") for name in ("photo", "cells", "given", "worth", "chroma", "apart")}
    count = len(arrays["photo"])
    assert arrays["cells"].shape == (count, TRIES, CELLS, 2)
    free = ~arrays["given"].any(1)
    photo = torch.from_numpy(arrays["photo"][free]).float().repeat_interleave(TRIES, 0)
    cells = torch.from_numpy(arrays["cells"][free])
    assert_close(
        worth_of(cinn, photo, cells.flatten(0, 1)).view(-1, TRIES),
        torch.from_numpy(arrays["worth"][free]),
        atol=0.02,
        rtol=0.02,  # photos are kept in half precision
    )
    scale = (cinn.coarsest.std * cinn.chroma_std).flatten().numpy()
    one, *others = arrays["cells"][0] * scale
    distances = [np.linalg.norm(one - other, axis=-1).mean() for other in others]
    np.testing.assert_allclose(arrays["apart"][0, 0], np.mean(distances), rtol=1e-4)


def test_colorfulness_and_diversity_are_worth_nothing(drawn: Path) -> None:
    dataset = PreferredDataset([drawn], 0.1)
    worth = dataset._arrays["worth"]
    np.testing.assert_allclose(worth.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(worth.std(), 1, rtol=1e-5)
    for name in ("chroma", "apart"):
        fact = np.load(drawn / f"{name}.npy")
        assert abs(np.corrcoef(worth.ravel(), (fact - fact.mean(1, keepdims=True)).ravel())[0, 1]) < 1e-4
    assert np.abs(np.load(drawn / "worth.npy") - worth).max() > 0.01


def test_a_batch_compares_some_draws_of_each_photo(drawn: Path) -> None:
    dataset = PreferredDataset([drawn], 0.1)
    whole = {tuple(cells.ravel()): worth for cells, worth in _pairs(dataset._arrays["cells"], dataset._arrays["worth"])}
    shown = next(dataset.batches(4, np.random.default_rng(0)))
    assert shown.cells.shape == (4, COMPARED, CELLS, 2)
    seen = {tuple(cells.ravel()): worth for cells, worth in _pairs(shown.cells.numpy(), shown.worth.numpy())}
    assert len(seen) == 4 * COMPARED  # none twice
    assert all(abs(whole[cells] - worth) < 1e-6 for cells, worth in seen.items())
    (held_out,) = dataset.held_out_batches(100)
    assert held_out.cells.shape[1] == TRIES


def _pairs(cells: np.ndarray, worth: np.ndarray) -> list[tuple[np.ndarray, float]]:
    return list(zip(cells.reshape(-1, CELLS, 2), worth.ravel().tolist(), strict=True))


def test_nothing_is_gained_at_first_and_what_is_wanted_is_what_it_costs(cinn: Cinn) -> None:
    objective, worth = PreferredObjective(cinn), draw(3, 4, dtype=torch.float32)
    example = batch(cinn, worth)
    assert_close(objective.gains(example), torch.zeros(3, 4))
    losses = objective.held_out(example, generator())[:, 0]
    assert_close(losses, STRENGTH**2 * worth.var(1, correction=0))


def test_cells_that_are_given_gain_nothing(cinn: Cinn) -> None:
    given = torch.zeros(2, CELLS)
    given[:, 11] = 1
    example, objective = batch(cinn, torch.zeros(2, 3), given), PreferredObjective(cinn)
    spread(cinn.distilled, seed=8, gain=1.0)
    level, order = cinn.coarsest, cinn.coarsest.given_first(given.bool())
    with torch.no_grad():
        gains = []
        for decoder in (objective._decoder, objective._before):
            told = [part.repeat_interleave(3, 0) for part in level.told(example.photo, order)]
            cells = example.cells.gather(2, order[:, None, :, None].expand(-1, 3, -1, 2)).flatten(0, 1)
            gains.append(decoder.decode(cells, *told).log_prob(cells)[:, 1:].sum(1))
        assert_close(objective.gains(example), (gains[0] - gains[1]).view(2, 3), rtol=0.02, atol=0.02)  # of bfloat16


def test_it_learns_to_prefer(cinn: Cinn, drawn: Path, tmp_path: Path) -> None:
    """What is worth more becomes likelier than what is worth less, on photos that it did not learn from, too."""
    dataset = PreferredDataset([drawn], 0.2)
    cells = dataset._arrays["cells"]
    dataset._arrays["worth"] = _standardized(cells[..., 0].mean(2))  # reddish draws
    objective = PreferredObjective(cinn)
    loop = Trainer(None, objective, dataset, LoopConfig(steps=40, batch=8, learning_rate=2e-3, warmup_steps=5))
    before = loop.evaluate()
    assert loop.train(tmp_path / "preferred.pt")
    assert loop.evaluate()[0] < 0.9 * before[0]
    (held_out,) = dataset.held_out_batches(100)
    with torch.no_grad():
        gains = objective.gains(held_out)
    assert np.corrcoef((gains - gains.mean(1, keepdim=True)).numpy().ravel(), held_out.worth.ravel())[0, 1] > 0.3


def _standardized(worth: np.ndarray) -> np.ndarray:
    worth = worth - worth.mean(1, keepdims=True)
    return (worth / worth.std()).astype(np.float32)


def test_a_run_compares_own_draws(cinn: Cinn, photos: Path, tmp_path: Path) -> None:
    weights = tmp_path / "before" / "cinn.safetensors"
    save_checkpoint(Checkpoint(cinn, "before", 0.8, (1.0, 2.0, 3.0, 4.0)), weights)
    draws = DrawConfig(own=True, tries=3, compare=True)
    config = RunConfig(photos, tmp_path / "run", 1, ("distilled",), 1, draws=draws, init=weights)
    path = run(config, loop=LoopConfig(steps=2, batch=4))
    assert path is not None
    assert np.load(tmp_path / "run" / "draws" / f"{photos.stem}" / "worth.npy").shape[1] == 3
    for other in (replace(draws, tries=1), replace(draws, keep=2)):
        with pytest.raises(InputError, match="compare"):
            run(replace(config, draws=other, out=tmp_path / "other"), TINY)

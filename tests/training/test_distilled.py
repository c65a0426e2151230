"""The distilled decoder: its teacher draws guided mixtures and takes the best, and it learns these draws."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.testing import assert_close

from model.flow.cells import CellStream
from model.flow.checkpoint import Checkpoint
from model.flow.cinn import Cinn
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS
from tests.networks import TINY, draw, generator, spread, without_h
from training.dataset import read_features
from training.draws import DrawConfig, DrawnBatch, DrawnDataset, _distances, build_draws
from training.loop import LoopConfig, Trainer
from training.objectives.distilled import DistilledObjective
from training.perception import Perception
from training.teacher import (
    DIVERSITY,
    GUIDANCE,
    GUIDANCE_LIMIT,
    choose_best,
    densities_of,
    draw_distilled,
    draw_guided,
    guided,
)

WIDTH = TINY.coarsest.width


@pytest.fixture
def cinn(tiny_checkpoint: Checkpoint) -> Cinn:
    cinn = without_h(tiny_checkpoint.cinn)
    spread(cinn.coarsest, cinn.prior, cinn.distilled, gain=1.0)
    spread(cinn.reward, seed=4)
    return cinn.eval().requires_grad_(False)


def photo(rows: int) -> Tensor:
    return draw(rows, CELLS, WIDTH, dtype=torch.float32)


def test_guidance_favors_what_the_prior_does_not_say() -> None:
    """Densities have the exact powers. A guidance of 0, or a prior that knows as much, changes nothing."""
    mixture, prior = (Mixture.from_output(draw(5, 6 * 4, seed=seed)) for seed in (1, 2))
    means = mixture.means.mT
    own, other = (torch.stack([each.log_prob(means[:, k]) for k in range(4)], 1) for each in (mixture, prior))
    odds = mixture.log_weights + 1.5 * (own - other).clamp(-GUIDANCE_LIMIT, GUIDANCE_LIMIT)
    found = guided(mixture, prior, 1.5)
    assert_close(found.log_weights, odds - odds.logsumexp(-1, keepdim=True))
    assert not torch.allclose(found.log_weights, mixture.log_weights)
    for part, same, no_more in zip(mixture, guided(mixture, prior, 0.0), guided(mixture, mixture, 2.0), strict=True):
        assert_close(same, part)
        assert_close(no_more, part)


def test_every_cell_is_drawn_from_the_guided_mixture(cinn: Cinn) -> None:
    cinn.double()
    seen, temperature, level = photo(2).double(), 0.6, cinn.coarsest
    drawn = draw_guided(cinn, seen, temperature, generator())
    order = level.order.expand(2, -1)
    by_row = order[..., None].expand(-1, -1, 2)
    cells = drawn.gather(1, by_row)
    own, prior = level.mixtures(cells, seen), cinn.prior.decode(cells, *[cinn.prior.decoder_places[order]] * 2)
    densities = densities_of(cinn, seen, drawn).gather(1, by_row)
    assert_close(densities, torch.stack((own.log_prob(cells), prior.log_prob(cells)), -1))
    tempered = guided(own, prior, GUIDANCE * temperature * (1 - temperature)).tempered(
        (temperature ** level.exponents.double()).expand(2, -1)
    )
    latents, _ = tempered.forward(cells)
    draws = generator()
    noise = torch.stack([torch.randn(2, 2, generator=draws) for _ in range(CELLS)], 1)
    assert_close(latents, noise.double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("draw_cells", [draw_guided, draw_distilled])
def test_cells_that_are_given_stay(cinn: Cinn, draw_cells: Callable[..., Tensor]) -> None:
    given = torch.full((2, 2, 8, 8), math.nan)
    given[1, :, 2, 5] = torch.tensor([0.4, -0.3])

    def cells(given: Tensor | None) -> Tensor:
        return draw_cells(cinn, photo(2), 0.6, generator(), given)

    drawn, free = cells(given), cells(None)
    assert_close(drawn[1, 2 * 8 + 5], cinn.coarsest.standardize(given[1:])[0, :, 2, 5])
    assert_close(drawn[0], free[0])
    assert (drawn[1] - free[1]).abs().mean() > 1e-3
    of_given, of_free = (densities_of(cinn, photo(2), drawn, each) for each in (given, None))
    assert_close(of_given[0], of_free[0])
    assert (of_given[1] - of_free[1]).abs().max() > 1e-4  # a different order


def test_the_best_draw_of_each_photo_is_taken_and_others_that_differ(cinn: Cinn) -> None:
    tries, keep = 5, 3
    cells, seen = draw(2 * tries, CELLS, 2, seed=5, dtype=torch.float32), photo(2).repeat_interleave(tries, 0)
    cells[1] = cells[0]  # a draw twice
    rewards = cinn.reward(seen, cells, densities_of(cinn, seen, cells)).view(2, tries)
    chroma = cells.view(2, tries, CELLS, 2) * (cinn.coarsest.std * cinn.chroma_std).flatten()
    kept = choose_best(cinn, seen, cells, tries, keep=keep).view(2, keep, CELLS, 2)
    for row in range(2):
        chosen = [int(rewards[row].argmax())]
        while len(chosen) < keep:
            apart = [(chroma[row] - chroma[row, i]).norm(dim=-1).mean(-1) for i in chosen]
            score = rewards[row] + DIVERSITY * torch.stack(apart).mean(0)
            score[chosen] = -torch.inf
            chosen.append(int(score.argmax()))
        assert_close(kept[row], cells.view(2, tries, CELLS, 2)[row, chosen])


def test_draws_that_look_like_the_photo_are_taken(
    cinn: Cinn, few_features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nearness counts more than the reward, a draw of the true colors is taken."""
    monkeypatch.setattr("training.draws.SATURATION", 1.0)
    (batch,) = read_features(few_features, 100)
    level, tries, rows = cinn.coarsest, 3, len(batch.chroma)
    true = cinn.pyramid(batch.chroma)[0]
    cells = level.standardize(true).flatten(2).mT[:, None].repeat(1, tries, 1, 1)
    cells[:, 0] += 1
    cells[:, 2] += 0.5 * draw(rows, CELLS, 2, seed=3).float()
    distances = _distances(Perception(), cinn, batch, true, cells.flatten(0, 1)).view(rows, tries)
    assert (distances.argmin(1) == 1).all()
    seen = photo(rows).repeat_interleave(tries, 0)
    best = choose_best(cinn, seen, cells.flatten(0, 1), tries, costs=1e6 * distances.flatten())
    assert_close(best, cells[:, 1])


def test_draws_of_photos_are_kept(
    cinn: Cinn, few_features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.draws.PHOTOS", 3)  # so that there are several batches of photos
    config = DrawConfig(tries=3, temperature=0.9)
    (photos,) = read_features(few_features, 100)
    count = len(photos.chroma)

    def drawn(seed: int = 0, **changed: object) -> NDArray[np.float32]:
        """Make draws, and return those in the folder afterwards."""
        assert build_draws(cinn, few_features, tmp_path, replace(config, **changed), seed) == count  # type: ignore[arg-type]
        return np.load(tmp_path / "cells.npy")

    before = drawn()
    assert before.shape == (count, 1, CELLS, 2)
    np.testing.assert_array_equal(drawn(seed=9), before)
    spread(cinn.reward, seed=9)
    after = drawn()
    assert not np.array_equal(after, before)  # drawn by another teacher
    for other in ({"tries": 2}, {"temperature": 0.5}, {"nearness": 1.0}, {"own": True}):
        cells = drawn(**other)
        assert np.isfinite(cells).all()
        assert not np.array_equal(cells, after)
    several = drawn(keep=2)
    assert several.shape == (count, 2, CELLS, 2)
    np.testing.assert_array_equal(several[:, :1], after)
    assert not np.array_equal(several[:, 1:], after)
    dataset = DrawnDataset([tmp_path], 0.1)
    assert len(dataset.train) + len(dataset.held_out) == count
    (held_out,) = dataset.held_out_batches(count)
    np.testing.assert_array_equal(held_out.cells, several[dataset.held_out[:, 1], 0])
    batches = dataset.batches(len(dataset.train), np.random.default_rng(0))
    seen = {cells.numpy().tobytes() for _ in range(20) for cells in next(batches).cells}
    trained = several[dataset.train[:, 1]].reshape(-1, CELLS, 2)
    assert seen == {cells.tobytes() for cells in trained}  # none of the held-out photos
    both = DrawnDataset([tmp_path] * 2, 0.1)
    assert len(both.train) + len(both.held_out) == 2 * count
    np.load(tmp_path / "cells.npy", "r+")[:] = 7
    (held_out,) = both.held_out_batches(2 * count)
    assert (held_out.cells == 7).all()  # read on demand, since memory could not hold the draws of many photos


@pytest.mark.parametrize("better", ["level", "distilled"])
def test_it_begins_with_the_decoder_that_finds_draws_likelier(cinn: Cinn, better: str) -> None:
    objective, order = DistilledObjective(cinn), cinn.coarsest.order.expand(6, -1)
    told = cinn.coarsest.told(photo(6), order)
    decoder = {"level": cinn.coarsest, "distilled": cinn.distilled}[better]
    stream, cells = CellStream(decoder, *told), torch.zeros(6, CELLS, 2)
    for i in range(CELLS):
        cells[:, i] = Mixture.from_output(stream.next()).heaviest()
        stream.tell(cells[:, i : i + 1])
    rows = torch.zeros_like(cells).scatter(1, order[..., None].expand(-1, -1, 2), cells)
    before = decoder.decode(cells, *told)
    objective.start([DrawnBatch(photo(6), rows, torch.zeros(6, CELLS))])
    for one, other in zip(cinn.distilled.decode(cells, *told), before, strict=True):
        assert_close(one, other)


def test_what_is_given_is_not_learned_but_heeded(cinn: Cinn) -> None:
    objective = DistilledObjective(cinn)
    cells, given = draw(2, CELLS, 2, dtype=torch.float32), torch.zeros(2, CELLS)
    given[:, 11] = 1

    def loss(cells: Tensor) -> Tensor:
        return objective.held_out(DrawnBatch(photo(2), cells, given), generator())[:, 0]

    changed = cells.clone()
    changed[:, 11] += 2
    assert (loss(changed) - loss(cells)).abs().min() > 1e-4  # other cells depend on it
    last = cells.clone()
    last[:, int(cinn.coarsest.order[-1])] += 50
    assert (loss(last) > loss(cells)).all()


def test_it_learns_to_draw_what_was_drawn(cinn: Cinn, tmp_path: Path) -> None:
    """It learns from draws of one color. Afterwards it draws this color, and the level's own decoder is unchanged."""
    folder = tmp_path / "draws"
    folder.mkdir()
    rng = np.random.default_rng(0)
    cells = (0.1 * rng.standard_normal((40, 2, CELLS, 2)) + (1.5, -0.5)).astype(np.float32)
    for name, array in {
        "photo": rng.standard_normal((40, CELLS, WIDTH)).astype(np.float16),
        "cells": cells,
        "given": np.zeros((40, CELLS), bool),
    }.items():
        np.save(folder / f"{name}.npy", array)
    cinn.requires_grad_(True)
    objective = DistilledObjective(cinn)
    loop = LoopConfig(steps=80, batch=16, learning_rate=1e-2, ema_decay=0.9, warmup_steps=5, checkpoint_steps=40)
    assert Trainer(None, objective, DrawnDataset([folder], 0.1), loop).train(tmp_path / "distilled.pt")
    z = draw(8, 2 * CELLS, dtype=torch.float32)
    own, learned = (
        cinn.coarsest.standardize(cinn.coarsest.draw(z, photo(8), torch.full((8,), t), cinn.distilled)).mean((0, 2, 3))
        for t in (1.0, 0.8)
    )
    assert_close(learned, torch.tensor([1.5, -0.5]), rtol=0, atol=0.3)
    assert (own - learned).norm() > 0.5

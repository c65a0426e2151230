"""Training of the distilled decoder by the look of its own draws compared with the truth."""

import copy
import math
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from model.flow.cinn import Cinn
from model.pixels import color
from tests.networks import TINY, changed_parts, draw, generator, spread, without_h
from training.dataset import Batch, FeatureDataset
from training.loop import LoopConfig, Trainer
from training.objectives import scored
from training.objectives.objective import draw_noise
from training.objectives.scored import ScoredObjective, energy_score
from training.perception import Perception, lab_to_rgb
from training.processes import Share
from training.standardize import standardize

WEIGHTS = ("LOOKS", "COLORFULNESS", "REWARD", "DIVERGENCE", "DIVERSITY")
STEP = 1e-5


@pytest.fixture(scope="module")
def dataset(features: Path) -> FeatureDataset:
    return FeatureDataset([[features]], 0.2)


@pytest.fixture(scope="module")
def perception() -> Perception:
    return Perception()


@pytest.fixture(scope="module")
def start(dataset: FeatureDataset) -> Cinn:
    cinn = Cinn(TINY)
    standardize(cinn, dataset)
    spread(cinn.coarsest, cinn.prior, cinn.distilled, gain=1.0)
    spread(cinn.reward, seed=4)
    return cinn.eval()


@pytest.fixture
def cinn(start: Cinn) -> Cinn:
    return without_h(start)


@pytest.fixture(autouse=True)
def hinted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells given to every other photo."""
    monkeypatch.setattr("training.draws.HINTED", 0.5)


@pytest.fixture
def batch(dataset: FeatureDataset) -> Batch:
    return next(iter(dataset.held_out_batches(4)))


def little_noise(like: Tensor, generator: torch.Generator, share: Share) -> Tensor:
    """Replace noise that would put cells between components, where a step changes them abruptly."""
    return 0.3 * draw_noise(like, generator, share).double()


def test_it_draws_as_the_service_does(cinn: Cinn, perception: Perception, batch: Batch) -> None:
    level, draws = cinn.coarsest, ScoredObjective(cinn, perception)._draw(batch, generator(), Share())
    noise = torch.randn(4, 2, 2, 64, 2, generator=generator())[:, :, 0].reshape(8, 128)
    served = level.draw(noise, draws.photo, torch.full((8,), 0.8), cinn.distilled, draws.given)
    assert_close(level.from_order(draws.cells, draws.order), served, rtol=1e-4, atol=1e-4)
    assert 0 < (~draws.free).any(1).float().mean() < 1
    assert_close(draws.free[..., 0].sum(1), draws.given[:, 0].isnan().flatten(1).sum(1))


@pytest.mark.parametrize("last", [3, 64])
def test_gradients_are_those_of_the_draw_itself(
    cinn: Cinn, perception: Perception, batch: Batch, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """The reference is finite differences at fixed latents, along one direction of the weights."""
    changed = {"REACH": 63, "mixed_precision": lambda _: nullcontext(), "draw_noise": little_noise}
    for name, value in changed.items():
        monkeypatch.setattr(scored, name, value)
    monkeypatch.setattr("model.flow.mixture.LEAST_DENSITY", 0.0)
    batch = Batch(type(batch.features)(*(f.double() for f in batch.features)), *(part.double() for part in batch[1:]))
    objective, weight = ScoredObjective(cinn.double(), perception), cinn.distilled.output.bias
    factors = draw(64, 2, seed=5) * (torch.arange(64) < last)[:, None]

    def losses(batch: Batch, draws: object, cells: Tensor) -> Tensor:
        return (factors * cells).sum((1, 2))

    monkeypatch.setattr(objective, "_losses", losses)
    monkeypatch.setattr(scored, "DIVERGENCE", 0.0)
    objective.compute(batch, generator()).minimized.backward()  # type: ignore[no-untyped-call]
    direction, start = draw(len(weight), seed=9), weight.detach().clone()
    values = []
    for step in (STEP, -STEP):
        with torch.no_grad():
            weight.copy_(start + step * direction)
        values.append(objective.compute(batch, generator()).shown[0])
    assert weight.grad is not None
    # a step of 1e-5 causes errors of that order by curvature
    assert_close((weight.grad * direction).sum(), (values[0] - values[1]) / (2 * STEP), rtol=1e-3, atol=1e-4)


def test_the_score_is_least_where_draws_are_as_the_truth_is() -> None:
    """Narrower draws, such as the mean alone, and wider draws have a clearly higher score."""
    true = draw(20_000, 3, seed=1)
    drawn = draw(40_000, 3, seed=2)
    scores = [float(energy_score(spread * drawn, true).mean()) for spread in (1.0, 0.0, 0.7, 1.3)]
    assert scores[0] < min(scores[1:]) - 0.005
    surer = [float(energy_score(spread * drawn, true, 0.25).mean()) for spread in (1.0, 0.7)]
    assert surer[1] < surer[0] - 0.005
    both = torch.tensor([[0.0, 3.0], [0.0, -1.0]])
    assert_close(energy_score(both, torch.zeros(1, 2)), torch.zeros(1), atol=0.1, rtol=0)


def test_a_picture_is_made_as_in_the_service() -> None:
    lab = torch.stack((50 + 20 * draw(2, 5, 5), 30 * draw(2, 5, 5, seed=1), 30 * draw(2, 5, 5, seed=2)), 1)
    assert_close(lab_to_rgb(lab).numpy(), color.lab_to_rgb(lab.numpy()).clip(0, 1), rtol=1e-9, atol=1e-9)


def test_what_looks_more_different_lies_farther(perception: Perception) -> None:
    """Equal chroma has distance 0, a stronger stain a larger one than a weaker stain; gradients reach each cell."""
    lightness, chroma = 50 + 10 * draw(1, 1, 128, 128).float(), 5 * draw(1, 2, 8, 8, seed=1).float()
    stained = [chroma.clone() for _ in range(2)]
    for other, strength in zip(stained, (5, 30), strict=True):
        other[..., 4:6, 4:6] += strength
    own = perception(lightness, chroma.requires_grad_())
    assert own.shape == (1, 112 * 8 * 8)
    distances = [(perception(lightness, other) - own).norm() for other in (chroma, *stained)]
    assert distances[0] == 0
    assert 0 < distances[1] < distances[2]
    (gradient,) = torch.autograd.grad(own.square().sum(), [chroma])
    assert gradient.abs().min() > 0


def test_terms_of_the_loss(cinn: Cinn, perception: Perception, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each term has the right sign; before training, the divergence is 0."""

    def loss(**weights: float) -> Tensor:
        for name in WEIGHTS:
            monkeypatch.setattr(scored, name, weights.get(name, 0.0))
        with torch.no_grad():
            return objective.held_out(batch, generator())[:, 0]

    objective = ScoredObjective(cinn, perception)
    assert_close(loss(), torch.zeros(4))
    assert (loss(LOOKS=1.0) > 1).all()
    assert (loss(COLORFULNESS=1.0).abs() > 1e-3).any()
    assert (loss(REWARD=1.0, DIVERSITY=1.0) < loss(REWARD=1.0) - 1).all()
    assert_close(loss(DIVERGENCE=1.0), loss(), atol=1e-4, rtol=0)
    with torch.no_grad():
        cinn.distilled.output.bias.add_(0.2 * draw(len(cinn.distilled.output.bias), seed=8).float())
    assert loss(DIVERGENCE=1.0).mean() > 1
    rewarded = loss(REWARD=1.0)
    with torch.no_grad():
        cinn.reward.last.bias.add_(1)
    assert_close(loss(REWARD=1.0), rewarded - 1)


def test_a_few_products_reach_far_enough(
    cinn: Cinn, perception: Perception, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, usual = ScoredObjective(cinn, perception), scored.REACH

    def gradient(reach: int) -> Tensor:
        monkeypatch.setattr(scored, "REACH", reach)
        minimized = objective.compute(batch, generator()).minimized
        found = torch.autograd.grad(minimized, list(cinn.distilled.parameters()))
        return torch.cat([each.flatten() for each in found])

    exact = gradient(63)
    near, nearer = (torch.cosine_similarity(gradient(reach), exact, 0) for reach in (0, usual))
    assert near < nearer
    assert nearer > 0.95


def test_processes_share_what_is_drawn(cinn: Cinn, perception: Perception, batch: Batch) -> None:
    objective = ScoredObjective(cinn, perception)
    joint = objective._draw(batch, generator(), Share())
    for rank in range(2):
        part = Batch(
            *(
                value[rank::2] if isinstance(value, Tensor) else type(value)(*(f[rank::2] for f in value))
                for value in batch
            )
        )
        for own, of_all in zip(objective._draw(part, generator(), Share(rank, 2)), joint, strict=True):
            expected = of_all.unflatten(0, (4, 2))[rank::2].flatten(0, 1)
            assert_close(own, expected, rtol=1e-3, atol=1e-3, equal_nan=True)


def test_the_decoder_learns_to_draw_what_looks_like_the_truth(
    cinn: Cinn, perception: Perception, dataset: FeatureDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else changes, and a decoder with a penalty on divergence changes less."""
    monkeypatch.setattr("training.loop.FAR", math.inf)  # a penalty of 1 is 200 times the usual one
    before = copy.deepcopy(cinn)
    batch = next(iter(dataset.held_out_batches(5)))

    def trained(divergence: float) -> tuple[float, float]:
        cinn.load_state_dict(before.state_dict())
        monkeypatch.setattr(scored, "DIVERGENCE", divergence)
        objective = ScoredObjective(cinn, perception)
        loop = LoopConfig(steps=8, batch=4, learning_rate=5e-3, matrix_learning_rate=0, warmup_steps=2, ema_decay=0.5)
        assert Trainer(None, objective, dataset, loop).train(tmp_path / f"{divergence}.pt")
        assert changed_parts(before, cinn) == {"distilled"}
        with torch.no_grad():
            monkeypatch.setattr(scored, "DIVERGENCE", 0.0)
            without = float(objective.held_out(batch, generator()).mean())
            monkeypatch.setattr(scored, "DIVERGENCE", 1.0)
            return without, float(objective.held_out(batch, generator()).mean()) - without

    monkeypatch.setattr(scored, "DIVERGENCE", 0.0)
    start = float(ScoredObjective(cinn, perception).held_out(batch, generator()).mean().detach())
    free, bound = trained(0.0), trained(1.0)
    assert free[0] < start - 0.05
    assert np.isfinite(free[1])
    assert bound[1] < 0.5 * free[1]

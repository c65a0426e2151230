"""The distilled decoder, taught by the reward model's gradient."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from typer.testing import CliRunner

from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from tests.networks import TINY, draw, spread
from training.__main__ import app
from training.dataset import Batch, FeatureDataset
from training.features import build_features
from training.loop import LoopConfig, Trainer
from training.objectives import rewarded
from training.objectives.objective import draw_noise
from training.objectives.rewarded import RewardedObjective
from training.processes import Share
from training.standardize import standardize


@pytest.fixture(scope="module")
def dataset(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureDataset:
    folder = tmp_path_factory.mktemp("features") / "all"
    build_features(Cinn(TINY).network, photos, folder, 0)
    return FeatureDataset([[folder]], 0.2)


@pytest.fixture
def cinn(dataset: FeatureDataset) -> Cinn:
    cinn = Cinn(TINY)
    standardize(cinn, dataset)
    spread(cinn.coarsest, cinn.prior, cinn.distilled, gain=1.0)
    spread(cinn.reward, seed=4)
    return cinn.eval()


@pytest.fixture
def batch(dataset: FeatureDataset) -> Batch:
    return next(iter(dataset.held_out_batches(4)))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_it_draws_as_the_service_does_with_gradients(cinn: Cinn) -> None:
    level, photo, z = cinn.coarsest, draw(3, 64, TINY.coarsest.width, dtype=torch.float32), draw(3, 128, seed=2).float()
    order, known = level.known_first(None, 3)
    drawn = RewardedObjective(cinn)._draw(level.told(photo, order), known, z.view(3, 64, 2))
    served = level.draw(z, photo, torch.full((3,), 0.8), cinn.distilled)
    assert_close(level.from_order(drawn, order), served, rtol=1e-4, atol=1e-4)
    (gradient,) = torch.autograd.grad(drawn[:, -1].sum(), [cinn.distilled.start])  # through all cells before
    assert gradient.abs().max() > 0


def test_gradients_are_those_of_the_draw_itself(cinn: Cinn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against finite differences, along one direction of the weights."""
    monkeypatch.setattr("model.flow.mixture.LEAST_DENSITY", 0.0)
    cinn.double()
    level, photo, z = cinn.coarsest, draw(2, 64, TINY.coarsest.width), 0.3 * draw(2, 64, 2, seed=2)
    order, known = level.known_first(None, 2)
    told, objective, weight = level.told(photo, order), RewardedObjective(cinn), cinn.distilled.output.bias
    told = (told[0].detach(), told[1].detach())

    def drawn() -> Tensor:
        return objective._draw(told, known, z)[:, :6].sum()

    (gradient,) = torch.autograd.grad(drawn(), [weight])
    direction, start = draw(len(weight), seed=9), weight.detach().clone()
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            weight.copy_(start + step * direction)
            values.append(drawn())
    assert_close((gradient * direction).sum(), (values[0] - values[1]) / 2e-5, rtol=1e-3, atol=1e-3)


def test_terms_of_the_loss(cinn: Cinn, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the sign that it should have; before training, there is no divergence."""

    def loss(**costs: float) -> Tensor:
        for name in ("COLORFULNESS", "NEARNESS", "DIVERSITY"):
            monkeypatch.setattr(rewarded, name, costs.get(name, 0.0))
        with torch.no_grad():
            return objective.held_out(batch, generator())[:, 0]

    objective = RewardedObjective(cinn)
    alone = loss()
    assert (loss(COLORFULNESS=1.0) - alone > 1).all()
    assert (loss(DIVERSITY=1.0) - alone < -1).all()
    assert_close(loss(NEARNESS=1.0), alone)
    with torch.no_grad():
        cinn.distilled.output.bias.add_(0.2 * draw(len(cinn.distilled.output.bias), seed=8).float())
    assert (loss(NEARNESS=1.0) - loss()).mean() > 1
    with torch.no_grad():
        for parameter in cinn.reward.last.parameters():
            parameter.add_(0.1)
    assert not torch.allclose(loss(), alone)


def test_processes_share_what_is_drawn(cinn: Cinn, batch: Batch) -> None:
    objective = RewardedObjective(cinn)
    joint = objective._losses(batch, generator(), Share())
    for rank in range(2):
        part = Batch(
            *(
                value[rank::2] if isinstance(value, Tensor) else type(value)(*(f[rank::2] for f in value))
                for value in batch
            )
        )
        assert_close(objective._losses(part, generator(), Share(rank, 2)), joint[rank::2], rtol=1e-4, atol=1e-4)
    assert draw_noise(torch.zeros(2, 3), generator(), Share(1, 2)).shape == (2, 3)


def test_the_decoder_learns_to_draw_what_is_rewarded(cinn: Cinn, dataset: FeatureDataset, tmp_path: Path) -> None:
    """Nothing else changes, and a decoder that may not go far stays nearer."""
    before = copy.deepcopy(cinn.state_dict())
    batch = next(iter(dataset.held_out_batches(5)))

    def trained(nearness: float) -> tuple[float, float]:
        cinn.load_state_dict(before)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rewarded, "NEARNESS", nearness)
            objective = RewardedObjective(cinn)
            loop = LoopConfig(
                steps=25, batch=8, learning_rate=5e-3, matrix_learning_rate=0, warmup_steps=2, ema_decay=0.5
            )
            assert Trainer(None, objective, dataset, loop).train(tmp_path / f"{nearness}.pt")
            changed = {
                name.partition(".")[0] for name, value in cinn.state_dict().items() if (value != before[name]).any()
            }
            assert changed == {"distilled"}
            patch.setattr(rewarded, "NEARNESS", 0.0)
            with torch.no_grad():
                without = float(objective.held_out(batch, generator()).mean())
                patch.setattr(rewarded, "NEARNESS", 1.0)
                return without, float(objective.held_out(batch, generator()).mean()) - without

    start = float(RewardedObjective(cinn).held_out(batch, generator()).mean().detach())
    free, bound = trained(1e-3), trained(1.0)
    assert free[0] < start - 0.1
    assert bound[1] < 0.5 * free[1]


def test_command(cinn: Cinn, photos: Path, tmp_path: Path) -> None:
    weights, out = tmp_path / "before" / "cinn.safetensors", tmp_path / "out"
    save_checkpoint(Checkpoint(cinn, "before", 0.8, (1.0, 2.0, 3.0, 4.0)), weights)
    options = ["rewarded", "--data", str(photos), "--init", str(weights), "--out", str(out), "--device", "cpu"]
    result = CliRunner().invoke(app, [*options, "--minutes", "0", "--name", "liked"])
    assert result.exit_code == 0, result.output
    found = load_checkpoint(out / "cinn.safetensors")
    assert found.name == "liked"
    for name, value in load_checkpoint(weights).cinn.state_dict().items():
        assert_close(found.cinn.state_dict()[name], value)
    assert CliRunner().invoke(app, options).exit_code == 2

"""Joint training of all of h, level 8² and the finer levels."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from model.flow.condition import ConditionFeatures
from tests.networks import TINY, changed_parts, generator
from tests.training.conftest import PHOTOS
from training.data import make_example, read_photos
from training.dataset import Batch, PhotoDataset
from training.features import build_examples
from training.imagenet import load_imagenet_weights
from training.loop import LoopConfig, Trainer
from training.objectives.coarsest import CoarsestObjective
from training.objectives.details import DetailsObjective
from training.objectives.end_to_end import EndToEndObjective
from training.precision import mixed_precision
from training.run import RunConfig, run_end_to_end


@pytest.fixture(scope="module")
def dataset(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> PhotoDataset:
    folder = tmp_path_factory.mktemp("examples")
    views = [folder / "0", folder / "1"]
    assert [build_examples(photos, out, view) for view, out in enumerate(views)] == [PHOTOS, PHOTOS]
    return PhotoDataset([views], held_out=0.2)


def test_held_out_photos_are_seen_as_they_are(photos: Path, dataset: PhotoDataset) -> None:
    (batch,) = dataset.held_out_batches(PHOTOS)
    examples = [make_example(photo) for photo in list(read_photos(photos))[:PHOTOS]][4::5]
    assert batch.lightness.shape == (4, 1, 256, 256)
    for example, lightness, chroma in zip(examples, batch.lightness, batch.chroma, strict=True):
        assert_close(lightness[0].numpy(), example.lightness, rtol=0, atol=0.2)
        assert_close(chroma.movedim(0, -1).numpy(), example.chroma, rtol=0, atol=0.1)


def test_photos_to_learn_from_are_mirrored_and_worn_at_random(dataset: PhotoDataset) -> None:
    train = [dataset._example(*row) for row in dataset.train.tolist()]
    batches = dataset.batches(10, np.random.default_rng(0))
    kinds = {
        ("worn" if worn else "whole", "mirrored" if mirrored else "as it is")
        for batch in (next(batches) for _ in range(6))
        for lightness, chroma in zip(batch.lightness[:, 0].numpy(), batch.chroma.movedim(1, -1).numpy(), strict=True)
        for seen, mirrored in ((chroma, False), (chroma[:, ::-1], True))
        for as_it_was, own in train
        if np.array_equal(seen, own)
        for worn in [not np.array_equal(lightness[:, ::-1] if mirrored else lightness, as_it_was)]
    }
    assert len(kinds) == 4


def test_losses_are_those_of_the_parts_by_h_as_it_is(dataset: PhotoDataset) -> None:
    cinn = Cinn(TINY)
    load_imagenet_weights(cinn.network)
    objective = EndToEndObjective(cinn)
    cinn.eval()
    (batch,) = dataset.held_out_batches(4)
    losses = objective.held_out(batch, generator())
    with mixed_precision(batch.lightness.device):
        features = ConditionFeatures(*(each.float() for each in cinn.network(batch.lightness)))
    seen, draws = Batch(features, F.avg_pool2d(batch.lightness, 2), batch.chroma), generator()
    expected = [part(cinn).held_out(seen, draws) for part in (CoarsestObjective, DetailsObjective)]
    assert_close(losses, torch.cat(expected, 1), rtol=0, atol=1e-2)
    assert losses.shape == (4, len(objective.names))
    objective.compute(batch, generator()).minimized.backward()  # type: ignore[no-untyped-call]
    for part in ("network.stem", "network.top", "coarsest.encoder", "details.0", "details.1"):
        gradients = [p.grad for name, p in objective.module.named_parameters() if name.startswith(part)]
        assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients), part


def test_every_parameter_learns_once_and_at_its_pace(dataset: PhotoDataset) -> None:
    objective = EndToEndObjective(Cinn(TINY))
    config = LoopConfig(learning_rate=0.5, matrix_learning_rate=0)
    (optimizer,) = Trainer(None, objective, dataset, config).optimizers
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(rates)
    expected = {"network": 0.15, "coarsest": 0.03, "details": 0.5}
    for name, parameter in objective.module.named_parameters():
        assert rates.pop(id(parameter)) == pytest.approx(expected[name.partition(".")[0]])
    assert not rates


def test_a_run_trains_h_and_the_levels_alone(tiny_file: Path, few_photos: Path, tmp_path: Path) -> None:
    config = RunConfig(few_photos, tmp_path / "out", views=2, held_out=0.2, init=tiny_file, name="whole")
    path = run_end_to_end(config, LoopConfig(steps=2, batch=2, learning_rate=1e-3, matrix_learning_rate=0))
    assert path
    found, before = load_checkpoint(path), load_checkpoint(tiny_file)
    assert found.name == "whole"
    assert changed_parts(before.cinn, found.cinn) == {"network", "coarsest", "decoder", "details"}
    assert not torch.equal(before.cinn.network.stem.weight, found.cinn.network.stem.weight)

"""Exact inverses of ablated cINNs and of the authors' chain."""

import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from model.errors import InputError
from model.flow.cinn import Cinn
from research.couplings.chain import ChainConfig, ChainLevel
from research.couplings.cinn import CouplingCinn, CouplingConfig
from research.couplings.level import FlowLevel, LevelConfig
from research.couplings.objective import LevelsObjective, Noise
from research.couplings.smooth_detail import detail
from tests.loops import steps
from tests.networks import TINY, default_dtype, draw, spread
from training.dataset import FeatureDataset
from training.loop import LoopConfig, Trainer
from training.standardize import draw_chroma

SMALL = CouplingConfig(
    levels=(
        LevelConfig(8, blocks=2, width=6, head_width=8, head_blocks=1, joint_blocks=0, dense_blocks=1, dense_width=8),
        LevelConfig(16, blocks=2, width=6, head_width=8, head_blocks=1, joint_blocks=1),
    )
)
CHAIN = ChainConfig(
    blocks=(2, 1, 2, 1), widths=(4, 4, 6, 6), head_widths=(4, 6, 6, 8), dense_blocks=2, dense_width=8, dropout=0.0
)


def without(**options: object) -> CouplingConfig:
    return replace(SMALL, levels=tuple(replace(level, **options) for level in SMALL.levels))


CONFIGS = {
    "without h": without(sees_h=False),
    "without soft clamp": without(soft_clamp=False),
    "without conditional affine": without(conditional_affine=False),
    "without zero start": without(zero_start=False),
    "chain": CouplingConfig(levels=(CHAIN,)),
    "chain with reshape": CouplingConfig(levels=(replace(CHAIN, downsampling="reshape"),)),
}


def build(config: CouplingConfig) -> CouplingCinn:
    """Build a cINN in float64, with all parameters of the flow moved from their initial values."""
    with default_dtype(torch.float64):
        cinn = CouplingCinn(config)
    spread(*cinn.levels)
    for level in cinn.levels:
        level.std.fill_(0.7)
    cinn.chroma_std.fill_(12)
    cinn.network.requires_grad_(False)
    return cinn.eval()


@pytest.fixture(scope="module", params=CONFIGS)
def of_photo(request: pytest.FixtureRequest) -> tuple[CouplingCinn, list[Tensor]]:
    """A cINN of each kind, and its condition for a photo."""
    cinn = build(CONFIGS[request.param])
    return cinn, cinn.condition(lightness())


def lightness(seed: int = 0) -> Tensor:
    return 50 + 20 * draw(1, 1, 256, 256, seed=seed).clamp(-2, 2)


def test_round_trip_and_log_prob_agree_in_both_directions(of_photo: tuple[CouplingCinn, list[Tensor]]) -> None:
    cinn, condition = of_photo
    latents = [draw(3, dims, seed=i) for i, dims in enumerate(cinn.dims)]
    samples = cinn.sample(condition, latents)
    encoded = cinn.log_prob(samples.chroma, condition)
    assert_close(encoded.latents, latents)
    assert_close(encoded.log_prob, samples.log_prob)


def test_samples_depend_on_the_photo_and_on_nothing_else_in_the_batch(
    of_photo: tuple[CouplingCinn, list[Tensor]],
) -> None:
    cinn, condition = of_photo
    latents = [draw(3, dims, seed=i) for i, dims in enumerate(cinn.dims)]
    together = cinn.sample(condition, latents).chroma
    assert_close(cinn.sample(condition, [z[1:2] for z in latents]).chroma[0], together[1])
    assert not torch.allclose(cinn.sample(cinn.condition(lightness(1)), latents).chroma, together)


def test_every_parameter_of_the_levels_gets_a_gradient(of_photo: tuple[CouplingCinn, list[Tensor]]) -> None:
    cinn, condition = of_photo
    size = cinn.chroma_size
    cinn.log_prob(10 * draw(2, 2, size, size), condition).log_prob.sum().backward()
    unmoved = [key for key, p in cinn.levels.named_parameters() if p.grad is None or not p.grad.any()]  # type: ignore[attr-defined]
    assert unmoved == []


def test_without_h_its_features_do_not_matter() -> None:
    cinn = build(CONFIGS["without h"])
    before = cinn.condition(lightness())
    with torch.no_grad():
        for p in cinn.network.parameters():
            p.mul_(2)
    assert_close(cinn.condition(lightness()), before)


def test_without_zero_start_an_untrained_level_is_no_identity() -> None:
    x = draw(2, 6, 8, 8).float()
    for config, identity in ((SMALL, True), (CONFIGS["without zero start"], False)):
        level = FlowLevel(config.levels[1], torch.Generator().manual_seed(0))  # type: ignore[arg-type]
        coarser = draw(2, 2, 8, 8).float()
        condition = level.sample_condition(level.head.lightness.bias.view(1, -1, 1, 1).expand(2, -1, 8, 8), coarser)
        _, log_det = level(x, condition)
        assert torch.equal(log_det, torch.zeros(2)) == identity


def test_the_chain_is_the_authors_in_its_shapes() -> None:
    chain = ChainLevel(ChainConfig(), torch.Generator().manual_seed(0))
    assert chain.leaving == [0, 16, 32, 96]
    assert chain.dense_mixings[0].matrix.shape == (512, 512)
    assert 16 * 16**2 + 32 * 8**2 + 96 * 4**2 + 512 == chain.dims == 8192


def test_the_log_det_of_the_chain_is_that_of_its_parts() -> None:
    # With zero weights, only the scales contribute to the log-det.
    cinn = build(CONFIGS["chain"])
    chain = cinn.levels[0]
    with torch.no_grad():
        for p in chain.parameters():
            p.zero_()
    condition = chain.sample_condition(cinn.condition(lightness())[0], None)
    assert_close(chain(draw(2, 2, 64, 64), condition)[1], torch.full((2,), -8192 * math.log(0.7), dtype=torch.float64))


def test_what_surrounds_a_level_is_as_in_the_product() -> None:
    couplings, product = CouplingCinn(CouplingConfig()), Cinn(TINY)
    for cinn in (couplings, product):
        cinn.chroma_std.fill_(12)
    for level in range(4):
        assert_close(couplings.constant(level), product.constant(level))


def test_detail_of_a_smooth_ramp_is_small() -> None:
    # A slope of 1 per pixel has plain Haar details of 1; cubic convolution leaves less than a fifth.
    ramp = torch.arange(32, dtype=torch.float64).expand(1, 2, 32, 32)
    assert detail(ramp)[..., 3:-3, 3:-3].abs().max() < 0.2


def test_a_level_wants_its_coarser_chroma() -> None:
    with pytest.raises(InputError, match="coarser: expected a\\*b\\* of size 8, got None"):
        build(SMALL).levels[1].sample_condition(draw(1, 8, 8, 8), None)


def test_what_a_level_takes_from_the_coarser_chroma_is_bounded() -> None:
    level, photo, direction = build(SMALL).levels[1], draw(1, 8, 8, 8), draw(1, 2, 8, 8).sign()
    far, farther = (level.sample_condition(photo, r * direction) for r in (1e6, 1e9))
    assert_close(far, farther)


@pytest.fixture
def dataset(made_up: Path) -> FeatureDataset:
    return FeatureDataset([[made_up]], held_out=0.2)


def new_cinn(dataset: FeatureDataset) -> CouplingCinn:
    torch.manual_seed(0)
    levels = (LevelConfig(size, 2, 8, head_width=8, head_blocks=1, joint_blocks=1) for size in (8, 16, 32, 64))
    cinn = CouplingCinn(CouplingConfig(tuple(levels)))
    cinn.network.requires_grad_(False)
    cinn.standardize(draw_chroma(dataset))
    return cinn


def test_data_are_standardized(dataset: FeatureDataset) -> None:
    cinn = new_cinn(dataset)
    batch = next(dataset.batches(len(dataset.train), np.random.default_rng(0)))
    for level, flow in enumerate(cinn.levels):
        seen = flow.standardize(cinn.level_data(batch.chroma)[level][0])
        # A single Haar band need not have unit variance, but all together do.
        assert seen.square().mean().item() == pytest.approx(1, rel=0.05)


def test_the_held_out_losses_are_the_networks_own_likelihood(dataset: FeatureDataset) -> None:
    cinn = new_cinn(dataset).eval()
    batch = next(iter(dataset.held_out_batches(3)))
    with patch("research.couplings.objective.mixed_precision", lambda _: nullcontext()):
        bits = LevelsObjective(cinn, range(4), Noise(0.0, 0.0)).held_out(batch, torch.Generator())
    condition = [level.photo_condition(batch.features, batch.lightness) for level in cinn.levels]
    log_prob = cinn.log_prob(batch.chroma, condition).log_prob
    for level, dims in enumerate(cinn.dims):
        nats = -bits[:, level] * math.log(2) * dims + cinn.constant(level)
        assert_close(nats, log_prob[:, level], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("levels", [(0,), (1,), (2, 3)])
def test_training_lowers_the_held_out_loss(dataset: FeatureDataset, levels: tuple[int, ...]) -> None:
    cinn, config = new_cinn(dataset), LoopConfig(batch=8, warmup_steps=1, learning_rate=3e-3)
    loop = Trainer(cinn.network, LevelsObjective(cinn, levels), dataset, config)
    before = loop.evaluate()
    steps(loop, 12)
    assert loop.history.skipped == 0
    assert all(after < start for start, after in zip(before, loop.evaluate(), strict=True))

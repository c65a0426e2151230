"""What can be left out of the cINN, and the authors' chain in its place: exactly invertible all the same."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model.flow.chain import ChainConfig, ChainLevel
from model.flow.level import FlowLevel, LevelConfig
from torch import Tensor
from torch.testing import assert_close

from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn, CinnConfig

SMALL = CinnConfig(
    levels=(
        LevelConfig(8, blocks=2, width=6, head_width=8, head_blocks=1, joint_blocks=0, dense_blocks=1, dense_width=8),
        LevelConfig(16, blocks=2, width=6, head_width=8, head_blocks=1, joint_blocks=1),
    )
)
CHAIN = ChainConfig(
    blocks=(2, 1, 2, 1), widths=(4, 4, 6, 6), head_widths=(4, 6, 6, 8), dense_blocks=2, dense_width=8, dropout=0.0
)


def without(**options: object) -> CinnConfig:
    return replace(SMALL, levels=tuple(replace(level, **options) for level in SMALL.levels))


CONFIGS = {
    "without h": without(sees_h=False),
    "without soft clamp": without(soft_clamp=False),
    "without conditional affine": without(conditional_affine=False),
    "with permutations": without(mixing="permutation"),
    "without zero start": without(zero_start=False),
    "chain": CinnConfig(levels=(CHAIN,)),
    "chain with reshape": CinnConfig(levels=(replace(CHAIN, downsampling="reshape"),)),
}


def build(config: CinnConfig) -> Cinn:
    """Build a cINN in float64 whose every parameter of the flow is off its start."""
    draws = torch.Generator().manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        cinn = Cinn(config)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        for level in cinn.levels:
            for p in level.parameters():
                p.copy_(torch.randn(p.shape, generator=draws) * (0.5 / max(p[0].numel(), 1) ** 0.5))
            level.std.fill_(0.7)
        cinn.chroma_std.fill_(12)
    return cinn.eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def lightness(seed: int = 0) -> Tensor:
    return 50 + 20 * draw(1, 1, 256, 256, seed=seed).clamp(-2, 2)


@pytest.mark.parametrize("name", CONFIGS)
def test_round_trip_and_log_prob_agree_in_both_directions(name: str) -> None:
    cinn = build(CONFIGS[name])
    condition = cinn.condition(lightness())
    latents = [draw(3, dims, seed=i) for i, dims in enumerate(cinn.dims)]
    samples = cinn.sample(condition, latents)
    encoded = cinn.log_prob(samples.chroma, condition)
    assert_close(encoded.latents, latents)
    assert_close(encoded.log_prob, samples.log_prob)


@pytest.mark.parametrize("name", CONFIGS)
def test_samples_depend_on_the_photo_and_on_nothing_else_in_the_batch(name: str) -> None:
    cinn = build(CONFIGS[name])
    latents = [draw(3, dims, seed=i) for i, dims in enumerate(cinn.dims)]
    condition = cinn.condition(lightness())
    together = cinn.sample(condition, latents).chroma
    assert_close(cinn.sample(condition, [z[1:2] for z in latents]).chroma[0], together[1])
    assert not torch.allclose(cinn.sample(cinn.condition(lightness(1)), latents).chroma, together)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_of_the_levels_gets_a_gradient(name: str) -> None:
    cinn = build(CONFIGS[name])
    size = cinn.chroma_size
    cinn.log_prob(10 * draw(2, 2, size, size), cinn.condition(lightness())).log_prob.sum().backward()
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
    # At zero weights only the scales are left, and the log-det is theirs.
    cinn = build(CONFIGS["chain"])
    chain = cinn.levels[0]
    with torch.no_grad():
        for p in chain.parameters():
            p.zero_()
    condition = chain.sample_condition(cinn.condition(lightness())[0], None)
    assert_close(chain(draw(2, 2, 64, 64), condition)[1], torch.full((2,), -8192 * math.log(0.7), dtype=torch.float64))


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_come_back_from_disk(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    cinn = Cinn(config)
    save_checkpoint(Checkpoint(cinn, "ablation", 1.0, (1.0,) * len(cinn.levels)), tmp_path / "it.safetensors")
    assert load_checkpoint(tmp_path / "it.safetensors").cinn.config == config

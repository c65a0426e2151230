"""Laws that every invertible block obeys; a new block costs one line in BLOCKS."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from model.flow.affine import ConditionalAffine
from model.flow.autoregressive import AutoregressiveConfig, AutoregressiveLevel
from model.flow.coupling import AffineCoupling, ConvSubnet, DenseSubnet
from model.flow.detail_level import DetailCondition, DetailConfig, DetailLevel
from model.flow.haar import HaarDownsampling
from model.flow.mixing import OrthogonalMixing
from model.flow.mixture import Mixture


class Case(NamedTuple):
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    condition: Callable[[], Any]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def detail_level() -> DetailLevel:
    return DetailLevel(DetailConfig(16, condition_width=4, blocks=2, width=8), generator())


def detail_condition() -> DetailCondition:
    shares = tuple(draw(3, 8, 8, 8) for _ in range(2))
    return DetailCondition(draw(3, 6, 8, 8), draw(3, 12, 8, 8), shares, draw(3, 2 * 384))


def autoregressive_level() -> AutoregressiveLevel:
    config = AutoregressiveConfig(width=8, heads=2, encoder_blocks=1, decoder_blocks=1, components=3)
    return AutoregressiveLevel(config, generator())


class MixtureBlock(nn.Module):
    """A mixture as a block whose condition is all that it is."""

    def forward(self, x: Tensor, condition: Mixture) -> tuple[Tensor, Tensor]:
        return condition.forward(x)

    def inverse(self, z: Tensor, condition: Mixture) -> tuple[Tensor, Tensor]:
        return condition.inverse(z)


def mixture() -> Mixture:
    return Mixture.from_output(draw(3, 6 * 4))


BLOCKS = {
    "haar": Case(HaarDownsampling, (3, 2, 4, 6), lambda: None),
    "mixing of maps": Case(lambda: OrthogonalMixing(6, generator()), (3, 6, 2, 2), lambda: None),
    "mixing of vectors": Case(lambda: OrthogonalMixing(7, generator()), (3, 7), lambda: None),
    "conditional affine": Case(ConditionalAffine, (3, 4, 2, 3), lambda: draw(3, 8, 2, 3)),
    "conditional affine, one photo": Case(ConditionalAffine, (3, 4, 2, 3), lambda: draw(1, 8, 2, 3)),
    "conv coupling": Case(lambda: AffineCoupling(6, ConvSubnet, 8), (3, 6, 4, 4), lambda: draw(3, 8, 4, 4)),
    "odd conv coupling": Case(lambda: AffineCoupling(5, ConvSubnet, 8), (3, 5, 3, 4), lambda: draw(1, 8, 3, 4)),
    "dense coupling": Case(lambda: AffineCoupling(9, DenseSubnet, 8), (3, 9), lambda: draw(3, 8)),
    "detail level": Case(detail_level, (3, 6, 8, 8), detail_condition),
    "autoregressive level": Case(autoregressive_level, (3, 2, 8, 8), lambda: draw(3, 64, 8)),
    "autoregressive level, one photo": Case(autoregressive_level, (3, 2, 8, 8), lambda: draw(1, 64, 8)),
    "mixture": Case(MixtureBlock, (3, 2), mixture),
    "unclamped coupling": Case(
        lambda: AffineCoupling(6, ConvSubnet, 8, clamped=False), (3, 6, 4, 4), lambda: draw(3, 8, 4, 4)
    ),
    "unclamped conditional affine": Case(lambda: ConditionalAffine(None), (3, 4, 2, 3), lambda: draw(3, 8, 2, 3)),
}


@pytest.fixture(params=BLOCKS, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return BLOCKS[request.param]


def randomized(case: Case) -> nn.Module:
    """Build a block and move every parameter off its (partly zero) start, so that each has an effect."""
    torch.set_default_dtype(torch.float64)  # the mixing matrices are orthogonal to the precision they are built in
    try:
        block = case.build()
    finally:
        torch.set_default_dtype(torch.float32)
    draws = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for p in block.parameters():
            p.copy_(0.3 * torch.randn(p.shape, dtype=p.dtype, generator=draws))
        for name, value in (("mean", 0.4), ("std", 1.7)):
            if hasattr(block, name):
                getattr(block, name).fill_(value)
    return block


def test_inverse_undoes_forward(case: Case) -> None:
    block, x, c = randomized(case), draw(*case.shape), case.condition()
    z, log_det = block(x, c)
    back, inverse_log_det = block.inverse(z, c)
    assert_close(back, x)
    assert_close(inverse_log_det.expand(3), -log_det.expand(3))


def test_forward_undoes_inverse(case: Case) -> None:
    block, x, c = randomized(case), draw(*case.shape), case.condition()
    z = draw(*block(x, c)[0].shape)
    assert_close(block(block.inverse(z, c)[0], c)[0], z)


def test_log_det_is_that_of_the_jacobian(case: Case) -> None:
    block, x, c = randomized(case), draw(*case.shape), case.condition()
    log_det = block(x, c)[1].expand(3)

    def first(x0: Tensor) -> Tensor:
        z: Tensor = block(torch.cat((x0[None], x[1:])), c)[0][0]
        return z.flatten()

    jacobian = torch.autograd.functional.jacobian(first, x[0]).reshape(x[0].numel(), -1)
    assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1])


def test_samples_do_not_mix(case: Case) -> None:
    block, x, c = randomized(case), draw(*case.shape), case.condition()
    changed = torch.cat((x[:2], x[2:] + 1))
    assert_close(block(changed, c)[0][:2], block(x, c)[0][:2])


def test_arguments_are_unchanged(case: Case) -> None:
    block, x, c = randomized(case), draw(*case.shape), case.condition()
    kept = x.clone()
    z, _ = block(x, c)
    kept_z = z.clone()
    block.inverse(z, c)
    assert_close(x, kept, rtol=0, atol=0)
    assert_close(z, kept_z, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in BLOCKS if "coupling" in name])
def test_every_parameter_gets_a_gradient(name: str) -> None:
    case = BLOCKS[name]
    block, x, c = randomized(case), draw(*case.shape), case.condition()
    z, log_det = block(x, c)
    (z.square().sum() + log_det.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())

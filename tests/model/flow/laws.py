"""Laws of every invertible block, in the product and in research."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from tests.networks import default_dtype, draw, spread

__all__ = ["Case", "laws_of"]


class Case(NamedTuple):
    """A block to test, with its inputs."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    """shape of the input, three samples"""
    condition: Callable[[], Any]


def made(case: Case) -> tuple[nn.Module, Tensor, Any]:
    """Build a block, an input and a condition; parameters are moved from their (partly zero) initial values."""
    with default_dtype(torch.float64):  # mixing matrices are orthogonal up to the precision of their construction
        block = case.build()
    spread(block)
    for name, value in (("mean", 0.4), ("std", 1.7)):
        if hasattr(block, name):
            getattr(block, name).fill_(value)
    return block, draw(*case.shape, seed=1), case.condition()


def inverse_undoes_forward(block: nn.Module, x: Tensor, c: Any) -> None:
    """The inverse returns x, and its log-det is −log-det."""
    z, log_det = block(x, c)
    back, inverse_log_det = block.inverse(z, c)
    assert_close(back, x)
    assert_close(inverse_log_det.expand(3), -log_det.expand(3))


def forward_undoes_inverse(block: nn.Module, x: Tensor, c: Any) -> None:
    """Decoding and encoding return z."""
    z = draw(*block(x, c)[0].shape, seed=2)
    assert_close(block(block.inverse(z, c)[0], c)[0], z)


def log_det_is_that_of_the_jacobian(block: nn.Module, x: Tensor, c: Any) -> None:
    """The log-det equals that of autograd's Jacobian."""
    log_det = block(x, c)[1].expand(3)

    def first(x0: Tensor) -> Tensor:
        z: Tensor = block(torch.cat((x0[None], x[1:])), c)[0][0]
        return z.flatten()

    jacobian = torch.autograd.functional.jacobian(first, x[0]).reshape(x[0].numel(), -1)
    assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1])


def samples_do_not_mix(block: nn.Module, x: Tensor, c: Any) -> None:
    """A sample does not depend on the rest of its batch."""
    changed = torch.cat((x[:2], x[2:] + 1))
    assert_close(block(changed, c)[0][:2], block(x, c)[0][:2])


def arguments_are_unchanged(block: nn.Module, x: Tensor, c: Any) -> None:
    """Neither direction writes into its arguments."""
    kept = x.clone()
    z, _ = block(x, c)
    kept_z = z.clone()
    block.inverse(z, c)
    assert_close(x, kept, rtol=0, atol=0)
    assert_close(z, kept_z, rtol=0, atol=0)


def every_parameter_gets_a_gradient(block: nn.Module, x: Tensor, c: Any) -> None:
    """Latents and log-det depend on every parameter (for blocks whose condition comes entirely from outside)."""
    z, log_det = block(x, c)
    (z.square().sum() + log_det.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


LAWS = (
    inverse_undoes_forward,
    forward_undoes_inverse,
    log_det_is_that_of_the_jacobian,
    samples_do_not_mix,
    arguments_are_unchanged,
)


def laws_of(blocks: Mapping[str, Case]) -> Callable[..., None]:
    """Return a test of every law for every block of a table; couplings have an additional law."""
    pairs = [(law, name) for law in LAWS for name in blocks]
    pairs += [(every_parameter_gets_a_gradient, name) for name in blocks if "coupling" in name]

    @pytest.mark.parametrize(
        ("law", "case"), [pytest.param(law, blocks[name], id=f"{law.__name__}: {name}") for law, name in pairs]
    )
    def test(law: Callable[..., None], case: Case) -> None:
        law(*made(case))

    return test

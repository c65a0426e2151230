"""The whole cINN: exact in both directions, with a condition that is computed once per photo."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from model.flow.cinn import Cinn
from model.flow.condition import ConditionNetwork
from model.flow.config import AutoregressiveConfig, CinnConfig, DecoderConfig
from model.flow.coupling import AffineCoupling, ConvSubnet
from tests.networks import TINY, default_dtype, draw, spread

SMALL = CinnConfig(
    AutoregressiveConfig(width=12, heads=2, encoder_blocks=1, decoder_blocks=2, components=3),
    DecoderConfig((8, 8), (4,), (1, 1), (1, 1)),
    TINY.details[:1],
)


def build(config: CinnConfig, dtype: torch.dtype = torch.float64) -> Cinn:
    """Build a cINN with all parameters of the flow moved from their initial values."""
    with default_dtype(dtype):
        cinn = Cinn(config)
    spread(cinn.coarsest, cinn.prior, cinn.reward, cinn.decoder, *cinn.details)
    for level in (cinn.coarsest, *cinn.details):
        level.std.fill_(0.7)
    cinn.chroma_mean.fill_(1.5)
    cinn.chroma_std.copy_(torch.tensor([12.0, 19.0])[:, None, None])
    return cinn.eval()


@pytest.fixture(scope="module")
def small() -> tuple[Cinn, list[Tensor]]:
    cinn = build(SMALL)
    return cinn, [c.detach() for c in cinn.condition(50 + 20 * draw(1, 1, 256, 256).clamp(-2, 2))]


def test_sizes_and_latents() -> None:
    with torch.device("meta"):
        cinn = Cinn()
    assert cinn.dims == [128, 384, 1536, 6144]
    assert sum(cinn.dims) == 2 * cinn.chroma_size**2 == 8192


def test_round_trip_and_log_prob_agree_in_both_directions(small: tuple[Cinn, list[Tensor]]) -> None:
    cinn, condition = small
    chroma = 15 * draw(3, 2, 16, 16)
    encoded = cinn.log_prob(chroma, condition)
    decoded = cinn.sample(condition, encoded.latents)
    assert_close(decoded.chroma, chroma)
    assert_close(decoded.log_prob, encoded.log_prob)


def test_log_prob_is_that_of_the_jacobian(small: tuple[Cinn, list[Tensor]]) -> None:
    cinn, condition = small
    chroma = 15 * draw(1, 2, 16, 16)

    def encode(x: Tensor) -> Tensor:
        return torch.cat(cinn.log_prob(x.view(1, 2, 16, 16), condition).latents, 1)[0]

    jacobian = torch.autograd.functional.jacobian(encode, chroma.flatten(), vectorize=True)
    z = encode(chroma)
    gaussian = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum()
    assert_close(cinn.log_prob(chroma, condition).log_prob.sum(), gaussian + torch.linalg.slogdet(jacobian)[1])


def test_every_parameter_of_the_levels_gets_a_gradient() -> None:
    cinn = build(SMALL)
    condition = cinn.condition(50 + 20 * draw(2, 1, 256, 256).clamp(-2, 2))
    cinn.log_prob(15 * draw(2, 2, 16, 16), condition).log_prob.sum().backward()
    without = {
        name.split(".")[0] for name, p in cinn.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    }
    assert without == {"distilled", "prior", "reward"}  # these have no part in the density


def test_condition_features_do_not_depend_on_the_batch() -> None:
    network = ConditionNetwork().eval()
    lightness = 50 + 20 * draw(2, 1, 256, 256, dtype=torch.float32).clamp(-2, 2)
    for together, alone in zip(network(lightness), network(lightness[:1]), strict=True):
        assert_close(together[:1], alone, rtol=1e-4, atol=1e-4)


def test_what_a_subnet_returns_is_bounded() -> None:
    # Otherwise every block pushes a latent far from the training data further out, as seen in trained flows.
    coupling = AffineCoupling(6, ConvSubnet, 8).double()
    nn.init.normal_(coupling.subnet.last.weight, generator=torch.Generator().manual_seed(1))
    direction, share = draw(2, 3, 4, 4).sign(), draw(2, 8, 4, 4)
    far, farther = (
        coupling.inverse(torch.cat((r * direction, draw(2, 3, 4, 4)), 1), share)[0][:, 3:] for r in (1e6, 1e9)
    )
    assert_close(far, farther, rtol=1e-4, atol=1e-4)


def test_what_a_level_takes_from_the_coarser_chroma_is_bounded(small: tuple[Cinn, list[Tensor]]) -> None:
    cinn, condition = small
    direction = draw(1, 2, 8, 8).sign()
    far, farther = (cinn.details[0].sample_condition(condition[1], r * direction) for r in (1e6, 1e9))
    assert_close(far[1:], farther[1:])  # the prediction itself is a mixture of the coarser colors


def test_the_flow_itself_is_computed_in_float32_under_autocast() -> None:
    cinn = build(TINY, torch.float32)
    chroma = 15 * draw(2, 2, 64, 64, dtype=torch.float32)
    condition = cinn.condition(torch.full((1, 1, 256, 256), 60.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = cinn.log_prob(chroma, condition)
    assert {z.dtype for z in encoded.latents} == {torch.float32}
    assert encoded.log_prob.dtype == torch.float32

"""Training of h's late stages together with the levels, on features stored at 32×32."""

import pytest
import torch
from torch.testing import assert_close

from model.flow.condition import ConditionNetwork, SameConv
from model.flow.constants import EARLY_STAGES, FEATURE_CHANNELS
from tests.networks import generator
from training.imagenet import load_imagenet_weights
from training.unfreeze import FixedDepthwise, refine, unfreeze


@pytest.mark.parametrize("size", [8, 9, 16])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_a_fixed_depthwise_convolution_is_the_convolution_and_has_its_gradient(
    kernel: int, stride: int, size: int
) -> None:
    torch.manual_seed(0)
    conv = SameConv(6, 6, kernel, stride=stride, groups=6).double()
    fixed = FixedDepthwise(conv)
    x = torch.randn(2, 6, size, size + 1, dtype=torch.float64, requires_grad=True)
    expected, got = conv(x), fixed(x)
    assert_close(got, expected)
    towards = torch.randn_like(expected)
    assert_close(torch.autograd.grad(got, x, towards), torch.autograd.grad(expected, x, towards))


def test_what_comes_after_32_by_32_is_trained_and_makes_the_features_of_h() -> None:
    network = ConditionNetwork()
    load_imagenet_weights(network)
    for name in FEATURE_CHANNELS:
        network.get_buffer(f"std_{name}").fill_(3)
    lightness, names = 100 * torch.rand(2, 1, 256, 256, generator=generator()), list(network.state_dict())
    with torch.no_grad():
        whole = network(lightness)
    trained = unfreeze(network)
    assert list(network.state_dict()) == names
    early = [*network.stem.parameters(), *network.stages[:EARLY_STAGES].parameters()]
    assert not any(parameter.requires_grad for parameter in early)
    assert all(parameter.requires_grad for parameter in network.top.parameters())
    refined = refine(network, whole)
    for expected, got in zip(whole, refined, strict=True):
        # bfloat16, where used, keeps 8 bits over some thirty layers: errors of 3% were seen
        assert (got - expected).abs().mean() < 0.06 * expected.abs().mean()
    sum(feature.square().mean() for feature in refined).backward()  # type: ignore[union-attr]
    assert trained
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in trained)

"""Mixtures of bivariate Gaussians: exact tails, correct temperatures, and compiled code equal to its definition."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from model.flow.mixture import LEAST_DENSITY, Mixture
from model.flow.mixture_arrays import draw_outputs, latents_of_outputs, log_prob_of_outputs
from tests.networks import draw

ROWS = 300
MIXTURE = Mixture.from_output(1.5 * draw(ROWS, 6 * 8, seed=2))


def latents(scale: float = 1.0) -> Tensor:
    return scale * draw(ROWS, 2, seed=3)


def at(temperature: float) -> Tensor:
    return torch.full((ROWS,), temperature, dtype=torch.float64)


@pytest.mark.parametrize("size", [5.0, 8.0, 20.0])
def test_latents_far_in_the_tails_come_back(size: float) -> None:
    z = size * latents().sign()
    x, log_det = MIXTURE.inverse(z)
    back, forward_log_det = MIXTURE.forward(x)
    assert_close(back, z, rtol=1e-6, atol=1e-6)
    assert_close(forward_log_det, -log_det)


def test_a_draw_takes_few_calls() -> None:
    """On a GPU, each call takes some microseconds even for few rows, and every coloring has 64 draws."""
    calls = list[str]()

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            calls.append(str(function))
            return function(*args, **kwargs or {})

    with Count():
        MIXTURE.tempered(at(0.8)).inverse(latents())
    assert len(calls) < 500


@pytest.mark.parametrize("temperature", [0.3, 0.85, 1.0, 1.6])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_compiled_draw_is_the_definition(temperature: float, scale: float) -> None:
    z = latents(scale)
    expected, _ = MIXTURE.tempered(at(temperature)).inverse(z)
    assert_close(MIXTURE.draw(z, at(temperature)), expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("size", [0.5, 2.0, 8.0, 20.0])
def test_the_compiled_latents_are_the_definition(size: float) -> None:
    """The points range from the middle of a mixture far into its tails on either side."""
    output = 1.5 * draw(ROWS, 6 * 8, seed=7, dtype=torch.float32)
    mixture = Mixture.from_output(output.double())
    x, _ = mixture.inverse(size * latents().clamp(-1.3, 1.3))
    expected = mixture.forward(x)
    for part, defined in zip(latents_of_outputs(output.numpy(), x.numpy()), expected, strict=True):
        assert_close(torch.from_numpy(part), defined, rtol=1e-9, atol=1e-9)


def test_compiled_latents_of_what_is_not_finite_are_not() -> None:
    output, x = np.zeros((3, 6), np.float32), np.array([[np.nan, 0.0], [np.inf, 0.0], [1e9, 0.0]])
    z, _ = latents_of_outputs(output, x)
    assert not np.isfinite(z).all(1).any()


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1.4])
def test_the_compiled_draw_of_outputs_is_the_definition(temperature: float) -> None:
    output = 1.5 * draw(ROWS, 6 * 8, seed=6, dtype=torch.float32)
    given = torch.full((ROWS, 2), torch.nan)
    given[1] = torch.tensor([0.5, -0.25])
    expected = Mixture.from_output(output).double().draw(latents(), at(temperature))
    expected[1] = given[1]
    arrays = [tensor.numpy() for tensor in (output, at(temperature), latents(), given)]
    assert_close(torch.from_numpy(draw_outputs(*arrays)), expected, rtol=1e-4, atol=1e-4)  # float32 outputs


def test_the_compiled_density_of_outputs_is_the_definition() -> None:
    output, x = 1.5 * draw(ROWS, 6 * 8, seed=6, dtype=torch.float32), latents().float()
    expected = Mixture.from_output(output.double()).log_prob(x.double())
    assert_close(torch.from_numpy(log_prob_of_outputs(output.numpy(), x.numpy())), expected, rtol=1e-5, atol=1e-5)


def test_temperature_0_is_the_heaviest_component() -> None:
    expected = torch.stack([MIXTURE.means[i, :, int(MIXTURE.log_weights[i].argmax())] for i in range(ROWS)])
    assert_close(MIXTURE.draw(latents(), at(0.0)), expected)


def test_cooling_drops_light_components_and_narrows_the_others() -> None:
    cool = MIXTURE.tempered(at(0.25))
    assert_close(cool.log_scales, MIXTURE.log_scales + math.log(0.25))
    kept = cool.log_weights > -math.inf
    assert kept.any(-1).all()
    assert not kept.all()
    # the components kept hold at least √T of the weight, but less without the lightest of them
    weights = MIXTURE.log_weights.exp()
    share = (weights * kept).sum(-1)
    lightest = torch.where(kept, weights, math.inf).amin(-1)
    assert (share >= 0.5 - 1e-12).all()
    assert ((share - lightest < 0.5) | (kept.sum(-1) == 1)).all()
    assert_close(cool.log_weights.exp().sum(-1), torch.ones(ROWS, dtype=torch.float64))


def test_an_attached_draw_has_the_gradient_of_the_quantile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference is finite differences of the inverse at fixed latents."""
    monkeypatch.setattr("model.flow.mixture.LEAST_DENSITY", 0.0)
    output, direction = 0.4 * draw(40, 6 * 4, seed=6), draw(40, 6 * 4, seed=7)
    z = 0.5 * latents()[:40]
    ahead, behind = (Mixture.from_output(output + step * direction).inverse(z)[0] for step in (1e-5, -1e-5))
    here = Mixture.from_output(output).inverse(z)[0]
    parameters = output.clone().requires_grad_()
    attached = Mixture.from_output(parameters).attached(here)
    assert_close(attached.detach(), here)
    for i in range(2):
        (gradient,) = torch.autograd.grad(attached[:, i].sum(), parameters, retain_graph=True)
        assert_close((gradient * direction).sum(1), (ahead - behind)[:, i] / 2e-5, rtol=1e-4, atol=1e-6)


def test_an_attached_draw_between_components_has_a_bounded_gradient() -> None:
    weights = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    narrow = torch.full((1, 2, 2), -3.0, dtype=torch.float64)
    means = torch.tensor([[[-3.0, 3.0], [0.0, 0.0]]], dtype=torch.float64)
    mixture = Mixture(weights.log_softmax(-1), means, narrow, torch.zeros(1, 2, dtype=torch.float64))
    mixture.attached(torch.zeros(1, 2, dtype=torch.float64))[..., 0].sum().backward()
    assert weights.grad is not None
    assert 0 < weights.grad.abs().max() < 1 / LEAST_DENSITY

"""OpenVINO computes what torch defines, and gives each row the same whatever stands beside it."""

from collections.abc import Callable

import numpy as np
import openvino
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from model.drawing.runtimes.choice import choose_runtime
from model.drawing.runtimes.openvino_runtime import OpenvinoRuntime
from model.drawing.runtimes.runtime import Condition, Runtime
from model.drawing.runtimes.stepping import draw_alike
from model.drawing.runtimes.torch_runtime import TorchRuntime
from model.flow.checkpoint import Checkpoint
from model.flow.cinn import Cinn

ROWS = 4
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
BFLOAT16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
needs_bfloat16 = pytest.mark.skipif(not BFLOAT16, reason="this processor multiplies no matrices of bfloat16")
Rows = tuple[Tensor, Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def cinn(tiny_checkpoint: Checkpoint) -> Cinn:
    return tiny_checkpoint.cinn


@pytest.fixture(scope="module")
def exact(cinn: Cinn) -> OpenvinoRuntime:
    return OpenvinoRuntime(cinn, threads=2, bfloat16=False)


@pytest.fixture(scope="module")
def fast(cinn: Cinn) -> OpenvinoRuntime:
    """In bfloat16, where this processor has it."""
    return OpenvinoRuntime(cinn, threads=2)


@pytest.fixture(autouse=True)
def _no_gradients() -> object:
    with torch.no_grad():
        yield


def photos(count: int = 2) -> Tensor:
    return 100 * torch.rand(count, 1, 256, 256, generator=torch.Generator().manual_seed(1))


def rows(cinn: Cinn) -> Rows:
    """Draws of two photos: at several temperatures, one of them with given cells."""
    draws = torch.Generator().manual_seed(2)
    given = torch.full((ROWS, 2, 8, 8), torch.nan)
    given[1, :, 2, 5] = torch.tensor([30.0, -20.0])
    given[1, :, 7, 7] = 10
    z = torch.randn(ROWS, cinn.coarsest.dims, generator=draws)
    return torch.tensor([0, 1, 0, 1]), z, torch.tensor([0.0, 0.7, 1.0, 1.3]), given


def fine(cinn: Cinn) -> list[Tensor]:
    draws = torch.Generator().manual_seed(3)
    return [torch.randn(ROWS, dims, generator=draws) for dims in cinn.dims[1:]]


def conditions(runtime: Runtime) -> Condition:
    return Condition.join([runtime.condition(photo[None]) for photo in photos()])


def test_the_condition_is_that_of_the_definition(cinn: Cinn, exact: OpenvinoRuntime, fast: OpenvinoRuntime) -> None:
    defined = TorchRuntime(cinn).condition(photos(1))
    for computed in (exact.condition(photos(1)), fast.condition(photos(1))):
        assert_close(computed.cells[0], defined.cells[0], **CLOSE)
        assert_close(computed.maps, defined.maps, **CLOSE)


def test_draws_are_those_of_the_definition(cinn: Cinn, exact: OpenvinoRuntime) -> None:
    defined, computed = (
        runtime.draw_coarsest(conditions(runtime), *rows(cinn)) for runtime in (TorchRuntime(cinn), exact)
    )
    for part, of_definition in zip(computed, defined, strict=True):
        assert_close(part, of_definition, rtol=1e-4, atol=1e-3)  # a*b* go to 100, fits are sums over the cells
    assert_close(computed[0][1, :, 2, 5], torch.tensor([30.0, -20.0]), **CLOSE)


def test_details_and_likelihoods_are_those_of_the_definition(cinn: Cinn, exact: OpenvinoRuntime) -> None:
    x = 20 * torch.randn(ROWS, 2, 8, 8, generator=torch.Generator().manual_seed(4))
    defined, computed = (
        runtime.add_details(conditions(runtime), rows(cinn)[0], x, fine(cinn))
        for runtime in (TorchRuntime(cinn), exact)
    )
    assert_close(computed.chroma, defined.chroma, rtol=1e-4, atol=1e-3)
    assert_close(computed.coarsest_latents, defined.coarsest_latents, rtol=1e-3, atol=1e-3)
    assert_close(computed.log_prob.float(), defined.log_prob, rtol=1e-5, atol=1e-2)  # sums of thousands of nats


@needs_bfloat16
def test_bfloat16_changes_colors_little_and_likelihoods_less(
    cinn: Cinn, exact: OpenvinoRuntime, fast: OpenvinoRuntime
) -> None:
    drawn = [runtime.draw_coarsest(conditions(runtime), *rows(cinn))[0] for runtime in (exact, fast)]
    assert not torch.equal(*drawn)
    assert (drawn[0] - drawn[1]).norm(dim=1).mean() < 0.5
    full = [runtime.add_details(conditions(exact), rows(cinn)[0], drawn[0], fine(cinn)) for runtime in (exact, fast)]
    assert (full[0].chroma - full[1].chroma).norm(dim=1).mean() < 0.5
    assert torch.equal(full[0].log_prob[:, 0], full[1].log_prob[:, 0])  # always in float32
    bits = [each.log_prob.sum(1) / torch.log(torch.tensor(2.0)) / sum(cinn.dims) for each in full]
    assert_close(bits[1], bits[0], rtol=0, atol=1e-3)


def test_a_row_is_the_same_to_the_bit_whatever_stands_beside_it(cinn: Cinn, fast: OpenvinoRuntime) -> None:
    condition, (photo, z, temperature, given) = conditions(fast), rows(cinn)
    x, fits = fast.draw_coarsest(condition, photo, z, temperature, given)
    decoded = fast.add_details(condition, photo, x, fine(cinn))
    for order in ([3, 2, 1, 0], [1, 1, 1, 1]):
        alike = fast.draw_coarsest(condition, photo[order], z[order], temperature[order], given[order])
        assert all(torch.equal(one, other[order]) for one, other in zip(alike, (x, fits), strict=True))
        again = fast.add_details(condition, photo[order], x[order], [each[order] for each in fine(cinn)])
        for one, other in zip(again, decoded, strict=True):
            assert torch.equal(one, other[order])


def test_torch_draws_a_row_the_same_whatever_the_temperature_of_others(cinn: Cinn) -> None:
    runtime = TorchRuntime(cinn)
    condition, (photo, z, _, given) = conditions(runtime), rows(cinn)
    mixed = torch.tensor([0.65, 1.0, 1.3, 0.0])
    together, _ = runtime.draw_coarsest(condition, photo, z, mixed, given)
    for row, temperature in enumerate(mixed):
        alike, _ = runtime.draw_coarsest(condition, photo, z, temperature.expand(ROWS), given)
        assert torch.equal(together[row], alike[row])


@pytest.mark.parametrize("name", ["exact", "fast"])
def test_larger_chunks_are_taken_only_where_they_draw_the_same_bits(
    cinn: Cinn, name: str, request: pytest.FixtureRequest
) -> None:
    runtime = request.getfixturevalue(name)
    condition, (photo, *rest) = conditions(runtime), rows(cinn)
    few, _ = runtime.draw_coarsest(condition, photo, *rest)
    many, _ = runtime.draw_coarsest(
        condition, photo.repeat(4), *(each.repeat(4, *[1] * (each.dim() - 1)) for each in rest)
    )
    if runtime.draws_alike(ROWS, 4 * ROWS):
        assert torch.equal(many, few.repeat(4, 1, 1, 1))


@pytest.mark.parametrize("stream", [0, 1], ids=["level", "prior"])
def test_a_step_that_differs_in_one_bit_is_not_alike(fast: OpenvinoRuntime, stream: int) -> None:
    few, many = fast._new_stepper(ROWS), fast._new_stepper(2 * ROWS)
    alike = draw_alike(few, many)
    rounded = many._streams[stream].steps[-1]

    class Rounded:
        def infer(self) -> None:
            request.infer()
            rounded._output[-1, -1] = np.nextafter(rounded._output[-1, -1], np.float32(np.inf))

    request, rounded._request = rounded._request, Rounded()  # type: ignore[assignment]
    assert not draw_alike(few, many)
    rounded._request = request
    assert draw_alike(few, many) == alike


def test_numbers_that_are_not_finite_do_not_outlive_their_draw(cinn: Cinn, fast: OpenvinoRuntime) -> None:
    condition, (photo, z, temperature, given) = conditions(fast), rows(cinn)
    before, _ = fast.draw_coarsest(condition, photo, z, temperature, given)
    broken = condition._replace(cells=tuple(cells * torch.nan for cells in condition.cells))
    no_numbers, _ = fast.draw_coarsest(broken, photo, z, temperature, given)
    assert not no_numbers[0].isfinite().any()  # of which no cell is given
    assert torch.equal(fast.draw_coarsest(condition, photo, z, temperature, given)[0], before)


@pytest.mark.parametrize(("device", "installed", "runtime"), [
    ("cpu", True, OpenvinoRuntime),
    ("cpu", False, TorchRuntime),
    ("cuda", True, TorchRuntime),
])  # fmt: skip
def test_choice(
    cinn: Cinn, monkeypatch: pytest.MonkeyPatch, device: str, installed: bool, runtime: Callable[..., Runtime]
) -> None:
    monkeypatch.setattr("model.drawing.runtimes.choice.find_spec", lambda name: object() if installed else None)
    assert type(choose_runtime(cinn, device)) is runtime

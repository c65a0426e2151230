"""OpenVINO gives the results of torch, and a row's result does not depend on other rows."""

from functools import cache
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch

from model.drawing.runtimes import graph, graphs
from model.drawing.runtimes.choice import choose_runtime
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.openvino_runtime import OpenvinoRuntime
from model.drawing.runtimes.runtime import Condition, Floats, Given, Indices, Runtime
from model.drawing.runtimes.stepping import draw_alike
from model.drawing.runtimes.torch_runtime import TorchRuntime
from model.errors import CheckpointError, InputError
from model.flow.affine import soft_clamp
from model.flow.checkpoint import Checkpoint
from model.flow.cinn import Cinn
from model.flow.sizes import CELLS

ROWS = 4
DIMS = (128, 384, 1536, 6144)
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
BFLOAT16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
needs_bfloat16 = pytest.mark.skipif(not BFLOAT16, reason="this processor multiplies no matrices of bfloat16")


@pytest.fixture(scope="module")
def definition(tiny_checkpoint: Checkpoint) -> TorchRuntime:
    return TorchRuntime(tiny_checkpoint.cinn)


@pytest.fixture(scope="module")
def compiled(tiny_checkpoint: Checkpoint, graphs: Path) -> GraphCache:
    return GraphCache(graphs, tiny_checkpoint.sha256)


@pytest.fixture(scope="module")
def exact(tiny_checkpoint: Checkpoint, compiled: GraphCache) -> OpenvinoRuntime:
    return OpenvinoRuntime(tiny_checkpoint, bfloat16=False, cache=compiled)


@pytest.fixture(scope="module")
def fast(tiny_checkpoint: Checkpoint, compiled: GraphCache) -> OpenvinoRuntime:
    """A runtime in bfloat16, where this processor has it."""
    return OpenvinoRuntime(tiny_checkpoint, cache=compiled)


LEEWAY = 5e-4
"""Tolerance with which the tiny network keeps some cells and changes others."""


def normal(*shape: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def photos(count: int = 2) -> Floats:
    return 100 * np.random.default_rng(1).random((count, 1, 256, 256), np.float32)


def rows(*tolerances: float) -> tuple[Indices, Floats, Floats, Given]:
    """Draws of two photos at several temperatures, one with given cells, from which others may differ."""
    cells = np.full((ROWS, 2, 8, 8), np.nan, np.float32)
    cells[1, :, 2, 5] = 30, -20
    cells[1, :, 7, 7] = 10
    tolerance = np.broadcast_to(np.array(tolerances or 0, np.float32), ROWS)
    temperatures = np.array([0.2, 0.7, 0.9, 1.3], np.float32)
    return np.array([0, 1, 0, 1]), normal(ROWS, DIMS[0], seed=2), temperatures, Given(cells, tolerance)


def fine() -> list[Floats]:
    return [normal(ROWS, dims, seed=dims) for dims in DIMS[1:]]


@cache
def conditions(runtime: Runtime) -> Condition:
    return runtime.join([runtime.condition(photo[None]) for photo in photos()])


def test_the_condition_is_that_of_the_definition(
    tiny_checkpoint: Checkpoint, definition: TorchRuntime, exact: OpenvinoRuntime, fast: OpenvinoRuntime
) -> None:
    defined = definition.condition(photos(1))
    told = tiny_checkpoint.cinn.coarsest.told(defined.cells[0], torch.arange(CELLS)[None])
    maps = [each.flatten(2).transpose(1, 2) for each in defined.maps]
    for computed in (exact.condition(photos(1)), fast.condition(photos(1))):
        for one, other in zip((*computed.cells, *computed.maps), (*told, *maps), strict=True):
            np.testing.assert_allclose(one, other.numpy(), **CLOSE)


def test_the_soft_clamp_is_that_of_the_definition() -> None:
    x = np.concatenate([sign * np.geomspace(1e-6, 1e6, 1001, dtype=np.float32) for sign in (-1, 1)])
    node = graph.parameter("x", x.shape)
    model = openvino.Model([graph.soft_clamp(node, 2)], [node])
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (computed,) = compiled(x).values()
    np.testing.assert_allclose(computed, soft_clamp(torch.from_numpy(x), 2).numpy(), rtol=1e-6)


@pytest.mark.parametrize("temperatures", [(0.2, 0.7, 0.9, 1.3), (0, 0.4, 0.8, 1), (0, 0, 0, 0), (0.8,) * 4, (1,) * 4])
@pytest.mark.parametrize("leeway", [0, LEEWAY, np.inf])
def test_draws_are_those_of_the_definition(
    definition: TorchRuntime, exact: OpenvinoRuntime, temperatures: tuple[float, ...], leeway: float
) -> None:
    photo, z, _, given = rows(leeway)
    asked = (photo, z, np.array(temperatures, np.float32), given)
    defined, computed = (runtime.draw_coarsest(conditions(runtime), *asked) for runtime in (definition, exact))
    np.testing.assert_allclose(computed, defined, rtol=1e-4, atol=1e-3)  # a*b* reach 100
    np.testing.assert_allclose(computed[1, :, 2, 5], [30, -20], **CLOSE)


def test_details_and_likelihoods_are_those_of_the_definition(definition: TorchRuntime, exact: OpenvinoRuntime) -> None:
    x = 20 * normal(ROWS, 2, 8, 8, seed=4)
    defined, computed = (
        runtime.add_details(conditions(runtime), rows()[0], x, fine()) for runtime in (definition, exact)
    )
    np.testing.assert_allclose(computed.chroma, defined.chroma, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(computed.coarsest_latents, defined.coarsest_latents, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(computed.log_prob, defined.log_prob, rtol=1e-5, atol=1e-2)  # sums of thousands of nats


def test_latents_of_colors_are_those_of_the_definition(definition: TorchRuntime, exact: OpenvinoRuntime) -> None:
    chroma = 20 * normal(ROWS, 2, 64, 64, seed=5)
    defined, computed = (runtime.encode(conditions(runtime), rows()[0], chroma) for runtime in (definition, exact))
    np.testing.assert_allclose(computed.log_prob, defined.log_prob, rtol=1e-5, atol=1e-2)  # sums of thousands of nats
    for one, other in zip(computed.latents, defined.latents, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@needs_bfloat16
def test_bfloat16_changes_colors_little_and_likelihoods_less(exact: OpenvinoRuntime, fast: OpenvinoRuntime) -> None:
    drawn = [runtime.draw_coarsest(conditions(runtime), *rows()) for runtime in (exact, fast)]
    assert not np.array_equal(*drawn)
    assert np.linalg.norm(drawn[0] - drawn[1], axis=1).mean() < 0.5
    full = [runtime.add_details(conditions(exact), rows()[0], drawn[0], fine()) for runtime in (exact, fast)]
    assert np.linalg.norm(full[0].chroma - full[1].chroma, axis=1).mean() < 0.5
    assert np.array_equal(full[0].log_prob[:, 0], full[1].log_prob[:, 0])  # always in float32
    bits = [each.log_prob.sum(1) / np.log(2) / sum(DIMS) for each in full]
    np.testing.assert_allclose(bits[1], bits[0], rtol=0, atol=1e-3)


@needs_bfloat16
def test_weights_of_steps_are_stored_in_half_the_bytes_and_change_no_bit(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    step = graphs.step_graph(tiny_checkpoint.arrays, True, ROWS, openvino.Type.bf16)
    drawn, sizes = [], []
    for i in range(2):
        folder = tmp_path / str(i)
        for _ in range(2):  # compiled, then from the cache
            runtime = OpenvinoRuntime(tiny_checkpoint, cache=GraphCache(folder, tiny_checkpoint.sha256))
            drawn.append(runtime.draw_coarsest(conditions(runtime), *rows()))
        sizes.append(sum(path.stat().st_size for path in folder.rglob("step-*")))
        monkeypatch.setattr(graph, "store_in_bfloat16", lambda step: None)
    assert all(np.array_equal(drawn[0], each) for each in drawn[1:])
    assert sizes[0] < sizes[1]
    weights = [node.input_value(1).get_node() for node in step.get_ops() if node.get_type_name() == "MatMul"]
    read = [each.input_value(0).get_node() for each in weights if each.get_type_name() == "Convert"]
    stored = [each for each in read if each.get_type_name() == "Constant"]
    assert {each.get_element_type() for each in stored} == {openvino.Type.bf16}
    of_blocks = 4 * tiny_checkpoint.cinn.config.coarsest.decoder_blocks
    assert len(stored) == of_blocks + 2  # plus those of the a*b* and of the output
    assert not any(each.get_type_name() == "Constant" for each in weights)


def test_a_row_is_the_same_to_the_bit_whatever_stands_beside_it(fast: OpenvinoRuntime) -> None:
    condition, (photo, z, temperature, given) = conditions(fast), rows(0, LEEWAY, 0, np.inf)
    x = fast.draw_coarsest(condition, photo, z, temperature, given)
    decoded = fast.add_details(condition, photo, x, fine())
    encoded = fast.encode(condition, photo, decoded.chroma)
    for order in ([3, 2, 1, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]):
        asked = Given(*(part[order] for part in given))
        alike = fast.draw_coarsest(condition, photo[order], z[order], temperature[order], asked)
        assert np.array_equal(alike, x[order])
        again = fast.add_details(condition, photo[order], x[order], [each[order] for each in fine()])
        np.testing.assert_equal(again, [each[order] for each in decoded])
        log_prob, latents = fast.encode(condition, photo[order], decoded.chroma[order])
        np.testing.assert_equal([log_prob, *latents], [each[order] for each in (encoded.log_prob, *encoded.latents)])


def test_torch_draws_a_row_the_same_whatever_temperature_and_tolerance_others_have(definition: TorchRuntime) -> None:
    condition, (photo, z, _, given) = conditions(definition), rows(0, LEEWAY, 0, np.inf)
    mixed = np.array([0.65, 0.9, 1.3, 0.1], np.float32)
    together = definition.draw_coarsest(condition, photo, z, mixed, given)
    for row, temperature in enumerate(mixed):
        asked = given._replace(tolerance=np.full_like(given.tolerance, given.tolerance[row]))
        alike = definition.draw_coarsest(condition, photo, z, np.full(ROWS, temperature, np.float32), asked)
        assert np.array_equal(together[row], alike[row])


@pytest.mark.parametrize("stream", ["level", "distilled"])
def test_a_step_that_differs_in_one_bit_is_not_alike(fast: OpenvinoRuntime, stream: str) -> None:
    few, many = fast._new_stepper(ROWS), fast._new_stepper(2 * ROWS)
    alike = draw_alike(few, many)
    rounded = getattr(many, stream)

    class Rounded:
        def infer(self) -> None:
            request.infer()
            rounded._output[-1, -1] = np.nextafter(rounded._output[-1, -1], np.float32(np.inf))

    request, rounded._request = rounded._request, Rounded()  # type: ignore[assignment]
    assert not draw_alike(few, many)
    rounded._request = request
    assert draw_alike(few, many) == alike


def test_numbers_that_are_not_finite_do_not_outlive_their_draw(fast: OpenvinoRuntime) -> None:
    condition, (photo, z, temperature, given) = conditions(fast), rows(LEEWAY)
    before = fast.draw_coarsest(condition, photo, z, temperature, given)
    broken = condition._replace(cells=tuple(cells * np.nan for cells in condition.cells))
    no_numbers = fast.draw_coarsest(broken, photo, z, temperature, given)
    assert not np.isfinite(no_numbers[0]).any()  # row without given cells
    assert np.array_equal(fast.draw_coarsest(condition, photo, z, temperature, given), before)


@pytest.mark.parametrize(("device", "installed", "runtime"), [
    ("cpu", True, OpenvinoRuntime),
    ("cpu", False, TorchRuntime),
    ("cuda", True, TorchRuntime),
])  # fmt: skip
def test_choice(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, device: str, installed: bool, runtime: type[Runtime]
) -> None:
    monkeypatch.setattr(
        "model.drawing.runtimes.choice.find_spec", lambda name: object() if installed or name == "torch" else None
    )
    monkeypatch.setattr(Cinn, "to", lambda cinn, *_, **__: cinn)  # there may be no GPU
    assert type(choose_runtime(tiny_checkpoint, device)) is runtime


def test_a_cpu_without_any_runtime_is_told_what_to_install(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.drawing.runtimes.choice.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'tintflow\[gpu\]'"):
        choose_runtime(tiny_checkpoint, "cpu")


def test_weights_that_do_not_fit_their_configuration_are_refused(tiny_checkpoint: Checkpoint) -> None:
    runtime = OpenvinoRuntime(tiny_checkpoint)
    runtime._arrays.layers.coarsest.next.weight = np.zeros((3, 5), np.float32)
    with pytest.raises(CheckpointError, match="do not fit"):
        runtime.condition(photos(1))

"""Recognition: gray is what the photo is; what changes h's features counts against a coloring."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from model.drawing.passes import Passes
from model.drawing.recognition import recognize
from model.drawing.runtimes.torch_runtime import TorchRuntime
from model.errors import NonFiniteError
from model.flow.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def passes(tiny_checkpoint: Checkpoint) -> Passes:
    return Passes(tiny_checkpoint, "cpu")


def test_gray_is_recognized_and_colors_less(passes: Passes) -> None:
    y, x = np.mgrid[0:256, 0:256] / 256
    lightness = (50 + 30 * np.sin(9 * x) * np.cos(7 * y)).astype(np.float32)
    maps = np.zeros((3, 2, 8, 8), np.float32)
    maps[1] = 8.0
    maps[2, :, ::2] = 60.0
    with passes.running():
        gray, pale, striped = recognize(passes, lightness, maps).tolist()
        assert recognize(passes, lightness, maps[2:]).tolist() == pytest.approx([striped], abs=1e-6)
    assert gray == pytest.approx(1, abs=1e-4)
    assert 1 > pale > striped


@pytest.mark.parametrize("in_torch", [False, True])
def test_pictures_are_seen_as_the_definition_says(passes: Passes, tiny_checkpoint: Checkpoint, in_torch: bool) -> None:
    if in_torch:
        passes = Passes(tiny_checkpoint, "cpu", TorchRuntime(deepcopy(tiny_checkpoint.cinn)))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    with torch.no_grad(), passes.running():
        cosine = passes.compare(pictures)
        seen = tiny_checkpoint.cinn.network.see(torch.from_numpy(pictures).permute(0, 3, 1, 2).float())
    assert seen.shape == (2, 1280, 8, 8)
    defined = torch.nn.functional.cosine_similarity(seen[:1], seen[1:], dim=1).mean((1, 2))
    np.testing.assert_allclose(cosine, defined, rtol=0, atol=0.01)  # in bfloat16, where the processor has it


def test_features_that_are_no_numbers_are_refused(passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes._runtime, "see", lambda rgb: np.full((len(rgb), 1280, 8, 8), np.nan, np.float32))
    with pytest.raises(NonFiniteError), passes.running():
        recognize(passes, np.full((256, 256), 50, np.float32), np.zeros((2, 2, 8, 8), np.float32))


@pytest.mark.parametrize("count", [2, 5, 16])
def test_a_picture_is_compared_the_same_beside_any_others(passes: Passes, count: int) -> None:
    lightness = np.random.default_rng(1).uniform(0, 100, (256, 256)).astype(np.float32)
    maps = 20 * np.random.default_rng(3).standard_normal((16, 2, 8, 8), np.float32)
    with passes.running():
        together = recognize(passes, lightness, maps)
        assert np.array_equal(recognize(passes, lightness, maps[:count]), together[:count])

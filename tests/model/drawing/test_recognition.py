"""Recognition: gray is what the photo is; what changes h's features counts against a coloring."""

import numpy as np
import pytest
import torch

from model.drawing.passes import Passes
from model.drawing.recognition import recognize
from model.flow.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def passes(tiny_checkpoint: Checkpoint) -> Passes:
    return Passes(tiny_checkpoint.cinn, "cpu")


def test_gray_is_recognized_and_colors_less(passes: Passes) -> None:
    y, x = np.mgrid[0:256, 0:256] / 256
    lightness = (50 + 30 * np.sin(9 * x) * np.cos(7 * y)).astype(np.float32)
    maps = torch.zeros(3, 2, 8, 8)
    maps[1] = 8.0
    maps[2, :, ::2] = 60.0
    with passes.running():
        gray, pale, striped = recognize(passes, lightness, maps).tolist()
        assert recognize(passes, lightness, maps[2:]).tolist() == pytest.approx([striped], abs=1e-6)
    assert gray == pytest.approx(1, abs=1e-4)
    assert 1 > pale > striped


def test_pictures_are_seen_as_the_definition_says(passes: Passes, tiny_checkpoint: Checkpoint) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    with torch.no_grad(), passes.running():
        seen = passes.see(pictures)
        defined = tiny_checkpoint.cinn.network.see(torch.from_numpy(pictures).permute(0, 3, 1, 2).float())
    assert seen.shape == (2, 1280, 8, 8)
    # in bfloat16, where the processor has it
    assert float((seen - defined).norm() / defined.norm()) < 0.02

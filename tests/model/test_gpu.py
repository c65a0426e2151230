"""Coloring on a GPU, as far as this can be tested without one."""

import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.colorizer import CinnColorizer
from model.drawing import passes
from model.flow.checkpoint import Checkpoint
from model.options import Hint, InterpolationOptions, Options, SampleOptions, TransferOptions, VariationOptions
from model.protocol import DrawTask, SmallPhoto
from tests.pretended_gpu import pretended_gpu

OPTIONS: list[Options] = [
    *(SampleOptions(1, 0, temperature) for temperature in (0, 0.3, 0.6, 0.9, 1, 1.5)),
    SampleOptions(1, 0, hints=(Hint(0.5, 0.5, (160, 60, 40)),), candidates=2, select="likely"),
    VariationOptions(1, 0, 0, 0.5, 1),
    TransferOptions(1, 0),
    InterpolationOptions(2, 0, 0, to_index=1, latent_norm=1),
]


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")  # of autocast
def test_a_gpu_colors_as_a_cpu_does(
    tiny_checkpoint: Checkpoint, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    for sizes, rows in ((passes.PHOTOS, 2), (passes.DRAWS, 8), (passes.SAMPLES, 2)):
        monkeypatch.setitem(sizes, "cuda", rows)
    monkeypatch.setattr("model.drawing.runtimes.choice.find_spec", lambda name: name == "torch" or None)
    colorizer = CinnColorizer(tiny_checkpoint, "cpu")
    small = colorizer.shrink(np.stack([photo] * 3, 2), with_chroma=True)
    colored = _results(colorizer, small)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with pretended_gpu(monkeypatch):
        on_gpu = _results(CinnColorizer(copy.deepcopy(tiny_checkpoint), "cuda"), small)
    for one, other in zip(on_gpu, colored, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)  # a*b* reach 100
    assert not torch.backends.cudnn.allow_tf32  # for likelihoods


def _results(colorizer: CinnColorizer, photo: SmallPhoto) -> list[NDArray[np.float32]]:
    tasks = [DrawTask(photo, each, photo if isinstance(each, TransferOptions) else None) for each in OPTIONS]
    (scored,) = colorizer.score_all([photo])
    return [*(each.chroma for each in colorizer.draw_all(tasks)), np.array(scored.bits_per_dim)]

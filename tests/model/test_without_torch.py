"""Servers and commands on a CPU need no torch, once graphs are compiled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from model.colorizer import colorize, load_colorizer
from model.protocol import Hint, InterpolationOptions, SampleOptions, TransferOptions, VariationOptions

LATER = """
import json, sys
from pathlib import Path
import service.cli.server
from service.loading import load_and_warm_up, load_colorizer
from service.settings import Settings
from tests.model.test_without_torch import color_everything

weights, cache = map(Path, sys.argv[1:])
load_and_warm_up(load_colorizer, Settings(weights=weights, cache=cache, device="cpu"))
served = set(sys.modules)
print(json.dumps([color_everything(weights, cache), sorted(served), sorted(sys.modules)]))
"""
OF_DECODERS = {"pillow_heif"}
"""Packages that only the processes that decode photos need."""


def color_everything(weights: Path, cache: Path) -> list[float]:
    """Colorize in every way; return a number for each that tells of its pixels and likelihoods."""
    colorizer = load_colorizer(weights, "cpu", cache)
    photo = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    ways = (
        SampleOptions(3, 1),
        SampleOptions(2, 1, 1.0),
        SampleOptions(1, 1, hints=(Hint(0.5, 0.5, (160, 60, 40)),)),
        SampleOptions(1, 1, candidates=3, select="likely"),
        VariationOptions(1, 1, 0, 0.5, 2),
        TransferOptions(1, 1),
        InterpolationOptions(2, 1, 0),
    )
    referring = (TransferOptions, InterpolationOptions)
    found = [colorize(colorizer, photo, way, photo if isinstance(way, referring) else None) for way in ways]
    (likelihood,) = colorizer.score_all([colorizer.shrink(photo, with_chroma=True)])
    return [float(each.images.mean() + sum(each.bits_per_dim)) for each in found] + [likelihood.bits_per_dim]


def test_with_compiled_graphs_nothing_imports_torch(tiny_weights: Path, tmp_path: Path) -> None:
    colors = color_everything(tiny_weights, tmp_path)
    for _ in load_colorizer(tiny_weights, "cpu", tmp_path).prepare_rest():
        pass
    command = (sys.executable, "-c", LATER, str(tiny_weights), str(tmp_path))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout  # noqa: S603 - this Python
    again, served, imported = json.loads(answer.splitlines()[-1])
    assert again == colors
    assert "openvino" in imported
    assert "torch" not in imported
    assert not OF_DECODERS & set(served)

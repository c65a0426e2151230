"""Servers and commands on a CPU need no torch, whether their graphs are compiled already or not, and no pickles."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from benchmarks.running import made_up_photo, running
from model.colorizer import colorize, load_colorizer
from model.protocol import Hint, InterpolationOptions, SampleOptions, TransferOptions, VariationOptions

ALONE = """
import json, sys
sys.modules["torch"] = None  # whoever imports it fails
from pathlib import Path
import service.cli.server
from service.loading import load_and_warm_up, load_colorizer
from service.settings import Settings
from tests.model.test_without_torch import color_everything

weights, *caches = map(Path, sys.argv[1:])
for cache in caches:
    load_and_warm_up(load_colorizer, Settings(weights=weights, cache=cache, device="cpu"))
served = set(sys.modules)
print(json.dumps([[color_everything(weights, cache) for cache in caches], sorted(served)]))
"""
NO_PICKLE = """
import pickle
import sys
import traceback

NUMBA = "numba/core/caching.py"  # machine code that numba compiled here, and no one else could have written

def refuse(name):
    if not any(frame.filename.endswith(NUMBA) for frame in traceback.extract_stack()):
        raise RuntimeError(f"a pickle is loaded: {name}")

def guarded(name, original):
    def load(*arguments, **options):
        refuse(name)
        return original(*arguments, **options)
    return load

pickle.load, pickle.loads = guarded("load", pickle.load), guarded("loads", pickle.loads)
sys.addaudithook(lambda event, details: refuse(details) if event == "pickle.find_class" else None)
"""
ROOT = Path(__file__).parents[2]
HINT = '[{"x": 0.5, "y": 0.5, "color": "#a03c28"}]'
REQUESTS: tuple[tuple[str, dict[str, str], tuple[str, ...]], ...] = (
    ("/v1/colorizations", {"n": "16"}, ()),
    ("/v1/colorizations", {"n": "1", "hints": HINT}, ()),
    ("/v1/colorizations", {"n": "2", "candidates": "8", "select": "likely"}, ()),
    ("/v1/variations", {"seed": "7", "index": "2", "strength": "0.3"}, ()),
    ("/v1/transfers", {"n": "1"}, ("reference",)),
    ("/v1/interpolations", {"seed": "7", "index": "0", "to_index": "3", "steps": "2"}, ()),
    ("/v1/likelihoods", {}, ()),
    ("/v1/images/edits", {"prompt": "", "n": "1"}, ()),
)
"""Paths, fields, and names of files beside the photo."""


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


@pytest.fixture(scope="module")
def with_torch(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], Path]:
    """Colorings of every way where torch is, and a folder with all compiled graphs."""
    cache = tmp_path_factory.mktemp("full")
    colors = color_everything(tiny_file, cache)
    for _ in load_colorizer(tiny_file, "cpu", cache).prepare_rest():
        pass
    return colors, cache


def test_colors_are_the_same_without_torch(
    with_torch: tuple[list[float], Path], tiny_file: Path, tmp_path: Path
) -> None:
    """From graphs that are compiled already, and from an empty cache, neither by a pickle."""
    colors, cache = with_torch
    command = (sys.executable, "-c", ALONE, str(tiny_file), str(cache), str(tmp_path / "empty"))
    environment = os.environ | in_every_process(NO_PICKLE, tmp_path)
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout  # noqa: S603 - this Python
    again, served = json.loads(answer.splitlines()[-1])
    assert again == [colors, colors]
    assert "openvino" in served
    assert "pillow_heif" not in served  # only the processes that decode photos need it


def in_every_process(code: str, folder: Path) -> dict[str, str]:
    """Return an environment in which every Python runs this first, those of decoders too."""
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def test_a_server_answers_requests_of_every_kind_without_torch_or_a_pickle(
    with_torch: tuple[list[float], Path], tiny_file: Path, tmp_path: Path
) -> None:
    environment = in_every_process(f"{NO_PICKLE}\nsys.modules['torch'] = None", tmp_path)
    environment |= {"TINTFLOW_CACHE": str(with_torch[1]), "TINTFLOW_WEIGHTS": str(tiny_file)}
    photo = made_up_photo(96, 64, color=True)
    with running(environment) as service, httpx.Client(base_url=service.url, timeout=120) as client:
        for path, fields, files in REQUESTS:
            answer = client.post(path, data=fields, files=dict.fromkeys(("image", *files), photo))
            assert answer.status_code == 200, (path, answer.text)
        for path in ("/v1/models", "/metrics", "/livez", "/readyz", "/v2/models/colorization", "/"):
            assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "code", ["import pickle; pickle.loads(pickle.dumps(1))", "import _pickle; _pickle.loads(_pickle.dumps(print))"]
)
def test_a_pickle_would_have_been_seen(tmp_path: Path, code: str) -> None:
    environment = os.environ | in_every_process(NO_PICKLE, tmp_path)
    done = subprocess.run((sys.executable, "-c", code), env=environment, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    assert done.returncode != 0
    assert "a pickle is loaded" in done.stderr

"""Servers on a CPU need neither torch nor pickles, with or without compiled graphs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.running import made_up_photo, running
from service.loading import load_colorizer
from tests.service.fakes import running as running_here

NO_PICKLE = """
import pickle
import sys

NUMBA = "numba/core/caching.py"  # machine code that numba compiled here, and no one else could have written

def refuse(name):
    frame = sys._getframe()
    while frame and not frame.f_code.co_filename.endswith(NUMBA):
        frame = frame.f_back
    if not frame:
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
    ("/v1/colorizations", {"seed": "7", "n": "16"}, ()),
    ("/v1/colorizations", {"seed": "7", "n": "2", "temperature": "1"}, ()),
    ("/v1/colorizations", {"seed": "7", "n": "1", "hints": HINT}, ()),
    ("/v1/colorizations", {"seed": "7", "n": "2", "candidates": "8", "select": "likely"}, ()),
    ("/v1/variations", {"seed": "7", "index": "2", "strength": "0.3", "noise_seed": "9"}, ()),
    ("/v1/transfers", {"seed": "7", "n": "1"}, ("reference",)),
    ("/v1/interpolations", {"seed": "7", "index": "0", "to_index": "3", "steps": "2"}, ()),
    ("/v1/interpolations", {"seed": "7", "index": "0", "steps": "2"}, ("reference",)),
    ("/v1/likelihoods", {}, ()),
    ("/v1/images/edits", {"prompt": "", "n": "1", "seed": "7"}, ()),
)
"""Paths, fields, and names of files beside the photo."""
VARYING = ("id", "created", "timings")


def answers(client: httpx.Client) -> list[dict[str, Any]]:
    """Return a server's answers to requests of every kind, without the parts that vary."""
    photo, found = made_up_photo(96, 64, color=True), []
    for path, fields, files in REQUESTS:
        answer = client.post(path, data=fields, files=dict.fromkeys(("image", *files), photo))
        assert answer.status_code == 200, (path, answer.text)
        found.append({key: value for key, value in answer.json().items() if key not in VARYING})
    return found


def in_every_process(code: str, folder: Path) -> dict[str, str]:
    """Return an environment in which every Python, including those of decoders, runs this code first."""
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def test_a_server_answers_the_same_without_torch_and_pickles(tiny_file: Path, tmp_path: Path) -> None:
    """Both with an empty cache and with compiled graphs."""
    settings: dict[str, Any] = {"weights": tiny_file, "device": "cpu"}
    with running_here(load_colorizer, **settings) as here:
        here.wait_until_ready()
        expected = answers(here.client)
    alone = in_every_process(f"{NO_PICKLE}\nsys.modules['torch'] = None", tmp_path)
    alone |= {f"TINTFLOW_{name.upper()}": str(value) for name, value in (settings | {"cache": tmp_path}).items()}
    for _ in range(2):
        with running(alone) as service, httpx.Client(base_url=service.url, timeout=120) as client:
            assert answers(client) == expected
            for path in ("/v1/models", "/metrics", "/livez", "/readyz", "/v2/models/colorization", "/"):
                assert client.get(path).status_code == 200, path
            if psutil.LINUX:  # only decoder processes need it
                assert "heif" not in Path(f"/proc/{service.process.pid}/maps").read_text()


@pytest.mark.parametrize(
    "code", ["import pickle; pickle.loads(pickle.dumps(1))", "import _pickle; _pickle.loads(_pickle.dumps(print))"]
)
def test_a_pickle_would_have_been_seen(tmp_path: Path, code: str) -> None:
    environment = os.environ | in_every_process(NO_PICKLE, tmp_path)
    done = subprocess.run((sys.executable, "-c", code), env=environment, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    assert done.returncode != 0
    assert "a pickle is loaded" in done.stderr

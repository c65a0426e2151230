"""The tiny network on disk, synthetic features and colors to train on, and photos to measure on."""

import atexit
import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from model.colorizer import CinnColorizer
from model.flow.checkpoint import Checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from model.flow.constants import FEATURE_CHANNELS
from tests.networks import TINY, spread
from training.features import DONE

# One thread, here and in processes that tests start: the networks are too small for more, and on a busy machine,
# threads that wait for each other take many times longer.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

gc.disable()  # until all tests are collected

# Compiled networks are cached for this test run only; the first process compiles for all.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["TINTFLOW_CACHE"] = tempfile.mkdtemp(prefix="tintflow-cache-")
    atexit.register(shutil.rmtree, os.environ["TINTFLOW_CACHE"], ignore_errors=True)

# If SIGINT is ignored, as in `nohup make test &`, programs that tests start would inherit this and never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MADE_UP_PHOTOS = 40


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def freed_memory_goes_back() -> Iterator[None]:
    """A process that had kept what trainings freed would hide from other tests how much memory these take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.loop.keep_freed_memory", lambda: None)
        yield


@pytest.fixture(scope="session")
def tiny_checkpoint() -> Checkpoint:
    """An untrained network with all parameters changed from their initial values, so that each has an effect."""
    cinn = Cinn(TINY)
    spread(cinn)
    cinn.chroma_std.fill_(15)
    return Checkpoint(cinn.eval().requires_grad_(False), "tiny-1", 0.8, (1.0, 1.0, 2.0, 3.0))


@pytest.fixture(scope="session")
def graphs() -> Path:
    """A folder of the tiny network's compiled graphs; networks with other weights must not use it."""
    return Path(os.environ["TINTFLOW_CACHE"]) / "tiny"


@pytest.fixture(scope="session")
def colorizer(tiny_checkpoint: Checkpoint, graphs: Path) -> CinnColorizer:
    return CinnColorizer(tiny_checkpoint, "cpu", graphs)


@pytest.fixture(scope="session")
def tiny_file(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network on disk, shared by tests that only read it."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    return path


@pytest.fixture
def tiny_weights(tiny_checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """The tiny network on disk, for a single test."""
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    return path


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `build_features` writes it: a* of a whole photo is 20 or −20, and b* follows one feature of h."""
    rng = np.random.default_rng(0)
    arrays = {
        name: np.zeros((MADE_UP_PHOTOS, *(() if size == 1 else (size, size)), channels), np.int8)
        for name, (size, channels) in FEATURE_CHANNELS.items()
    }
    told = rng.integers(-60, 61, (MADE_UP_PHOTOS, 2, 2), np.int8).repeat(4, 1).repeat(4, 2)
    arrays["at_8"][..., 0] = told
    a = np.broadcast_to(rng.choice((-20, 20), (MADE_UP_PHOTOS, 1, 1)), (MADE_UP_PHOTOS, 64, 64))
    b = told.repeat(8, 1).repeat(8, 2) / 3
    chroma = np.stack((a, b), 3) + rng.normal(0, 1, (MADE_UP_PHOTOS, 64, 64, 2))
    lightness = rng.integers(0, 256, (MADE_UP_PHOTOS, 128, 128, 1), np.uint8)
    folder = tmp_path_factory.mktemp("made-up") / "0"
    folder.mkdir()
    arrays |= {"lightness": lightness, "chroma": chroma.astype(np.float16)}
    for name, array in arrays.items():
        array.tofile(folder / f"{name}.raw")
    shapes = {name: list(array.shape[1:]) for name, array in arrays.items()}
    (folder / DONE).write_text(json.dumps({"photos": MADE_UP_PHOTOS, "shapes": shapes}))
    return folder


@pytest.fixture(scope="session")
def subsets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two photos to measure on, each in its own subset."""
    folder = tmp_path_factory.mktemp("subsets")
    for subset, photo in (("pets", skimage.data.chelsea()), ("people", skimage.data.astronaut())):
        (folder / subset).mkdir()
        Image.fromarray(photo[::4, ::4]).save(folder / subset / "0.png")
    return folder


def pytest_collection_finish() -> None:
    """Exclude imported modules and collected tests from garbage collection."""
    gc.freeze()
    gc.enable()

"""Photos to train on, their features, and weights to start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from model.flow.cinn import Cinn
from model.flow.condition import ConditionNetwork
from tests.networks import TINY
from training.features import Extract, _open_by_openvino, build_features, standardize_network
from training.imagenet import load_imagenet_weights

PHOTOS = 24  # two more are too gray


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Compile each h once: with OpenVINO, this takes longer than the features of a few photos."""
    compiled: dict[bytes, Extract] = {}

    def open_once(network: ConditionNetwork) -> Extract:
        weights = b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values())
        if weights not in compiled:
            compiled[weights] = _open_by_openvino(network)
        return compiled[weights]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.features._open_by_openvino", open_once)
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pieces of photos, and two photos that are too gray to learn from."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    whole = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    for i in range(PHOTOS + 2):
        photo = whole[i % 3]
        top, left = (rng.integers(side - 160 + 1) for side in photo.shape[:2])
        piece = photo[top : top + 160, left : left + 160].copy()
        if i >= PHOTOS:
            piece[...] = piece[..., :1]
        Image.fromarray(piece).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture(scope="session")
def few_photos(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the first four photos."""
    folder = tmp_path_factory.mktemp("few-photos")
    for path in sorted(photos.iterdir())[:4]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def prepared(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cinn, Path]:
    """A new network with ImageNet's h, and the features of one view of the photos."""
    cinn = Cinn(TINY)
    load_imagenet_weights(cinn.network)
    standardize_network(cinn.network, photos)
    folder = tmp_path_factory.mktemp("features") / "0"
    assert build_features(cinn.network, photos, folder, view=0) == PHOTOS
    return cinn, folder


@pytest.fixture(scope="session")
def features(prepared: tuple[Cinn, Path]) -> Path:
    return prepared[1]


@pytest.fixture(scope="session")
def few_features(prepared: tuple[Cinn, Path], few_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of the few photos."""
    folder = tmp_path_factory.mktemp("few-features") / "0"
    build_features(prepared[0].network, few_photos, folder, view=0)
    return folder


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for features of the few photos, computed by the tiny network on disk."""
    return tmp_path_factory.mktemp("kept")

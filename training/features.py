"""Condition features of every training photo, or its lightness alone, computed once and kept on disk.

h is frozen while the flow trains and costs as much as a level of the flow does, so its features are stored in
memory-mapped arrays, as int8 with a step of 1/24 of a channel's standard deviation, far below the noise that training
adds. On a CPU they are computed by OpenVINO, as in use: 215 photos a second in place of torch's 40, both in bfloat16
(one core of an Intel Xeon with AMX).
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from model.device import THREADS
from model.flow.arrays import Layers
from model.flow.condition import ConditionNetwork
from model.flow.constants import FEATURE_CHANNELS, SMALL_LIGHTNESS
from training.data import Example, NoPhotosError, is_near_gray, make_example, read_photos
from training.precision import computes_in_bfloat16, mixed_precision

__all__ = ["DONE", "STEPS_PER_STD", "begun_anew", "build_examples", "build_features", "standardize_network"]

STEPS_PER_STD = 24
STANDARDIZED_PHOTOS = 512
"""Number of photos from which h's channels are standardized."""
BATCH = 8  # torch is fastest on a CPU where a batch's activations stay in the cache
DONE = "done.json"

Extract = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
"""h: from (B, 1, 256, 256) L* in [0, 100] to its features, channels first"""
Store = Callable[[Sequence[Example]], dict[str, NDArray[np.generic]]]
"""converts photos to arrays as stored on disk"""


def standardize_network(network: ConditionNetwork, path: Path) -> None:
    """Set the mean and standard deviation of each of h's channels from the first photos of a data path."""
    extract = _open(network)
    examples = (make_example(photo) for photo in islice(read_photos(path), STANDARDIZED_PHOTOS))
    parts = zip(*(_compute(extract, batch) for batch in _batched(examples)), strict=True)
    for name, arrays in zip(FEATURE_CHANNELS, parts, strict=True):
        channels = np.concatenate(arrays).reshape(-1, arrays[0].shape[-1])
        network.get_buffer(f"mean_{name}").copy_(torch.from_numpy(channels.mean(0)))
        network.get_buffer(f"std_{name}").copy_(torch.from_numpy(channels.std(0) + 1e-3))


def build_features(network: ConditionNetwork, path: Path, out: Path, view: int, seed: int = 0) -> int:
    """Write one view of each photo of a data path to a folder of arrays; return the number of photos.

    View 0 shows whole photos, every other view a random crop, half of them mirrored. Keeps a finished folder and starts
    an unfinished one again. Drops near-gray photos; raises NoPhotosError if there are no others.
    """
    return _build(lambda: partial(_quantize, _open(network)), path, out, view, seed)


def build_examples(path: Path, out: Path, view: int, seed: int = 0) -> int:
    """Write views of photos as lightness and a*b*, for training all of h; see `build_features`."""
    return _build(lambda: _as_bytes, path, out, view, seed)


def _build(open_store: Callable[[], Store], path: Path, out: Path, view: int, seed: int) -> int:
    if (out / DONE).exists():
        return int(json.loads((out / DONE).read_text())["photos"])
    rng = np.random.default_rng((seed, view))
    photos = (photo for photo in read_photos(path) if not is_near_gray(photo))
    examples = (make_example(photo, rng if view else None) for photo in photos)
    shapes: dict[str, list[int]] = {}
    store = open_store()
    count = 0
    with begun_anew(out) as part, ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        for batch in _batched(examples):
            count += len(batch)
            for name, array in store(batch).items():
                if name not in files:
                    shapes[name] = [*array.shape[1:]]
                    files[name] = stack.enter_context((part / f"{name}.raw").open("wb"))
                files[name].write(array.tobytes())
        if not count:
            raise NoPhotosError(f"only near-gray photos in {path}: they teach no color")
        (part / DONE).write_text(json.dumps({"photos": count, "shapes": shapes}))
    return count


@contextmanager
def begun_anew(out: Path) -> Iterator[Path]:
    """Yield an empty folder to fill. It gets its final name once complete, so that no partial folder has it."""
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    part.rename(out)


def _batched(examples: Iterator[Example]) -> Iterator[list[Example]]:
    while batch := list(islice(examples, BATCH)):
        yield batch


def _open(network: ConditionNetwork) -> Extract:
    """Prepare h with its present weights: in OpenVINO on a CPU if installed, else in torch."""
    device = network.stem.weight.device
    if device.type == "cpu" and find_spec("openvino") is not None:
        return _open_by_openvino(network)

    def extract(lightness: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        seen = torch.from_numpy(lightness).to(device, memory_format=torch.channels_last)
        with torch.inference_mode(), mixed_precision(device):
            return [feature.float().cpu().numpy() for feature in network(seen)]

    return extract


def _open_by_openvino(network: ConditionNetwork) -> Extract:
    """Compile h for one photo, which is as fast as several, in bfloat16 where the processor computes in it."""
    import openvino as ov  # late: not installed everywhere

    from model.drawing.runtimes.graphs import features_graph

    precision = "bf16" if computes_in_bfloat16(network.stem.weight.device) else "f32"
    options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": THREADS}
    weights = Layers({name: tensor.numpy() for name, tensor in network.state_dict().items()})
    request = ov.Core().compile_model(features_graph(weights, 1), "CPU", options).create_infer_request()

    def extract(lightness: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        parts = [[part.copy() for part in request.infer([photo[None]]).values()] for photo in lightness]
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    return extract


def _compute(extract: Extract, batch: Sequence[Example]) -> list[NDArray[np.float32]]:
    """Features of a batch with channels last, as they are stored."""
    features = extract(np.stack([example.lightness for example in batch])[:, None])
    return [f.transpose(0, 2, 3, 1) if f.ndim == 4 else f for f in features]


def _quantize(extract: Extract, batch: Sequence[Example]) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, array in zip(FEATURE_CHANNELS, _compute(extract, batch), strict=True):
        arrays[name] = (array * STEPS_PER_STD).round().clip(-127, 127).astype(np.int8)
    size = (SMALL_LIGHTNESS, SMALL_LIGHTNESS)
    small = [cv2.resize(e.lightness, size, interpolation=cv2.INTER_AREA).astype(np.float32) for e in batch]
    return arrays | _as_bytes([e._replace(lightness=each) for e, each in zip(batch, small, strict=True)])


def _as_bytes(batch: Sequence[Example]) -> dict[str, NDArray[np.generic]]:
    return {
        "lightness": (np.stack([e.lightness for e in batch])[..., None] * 2.55).round().astype(np.uint8),
        "chroma": np.stack([e.chroma for e in batch]).astype(np.float16),
    }

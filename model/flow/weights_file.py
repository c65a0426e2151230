"""Weights on disk: a safetensors file that also holds what describes it, checked by the SHA256SUMS beside it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from model.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["WeightsFile", "read_metadata", "read_weights", "restore", "write_weights"]

CHECKSUMS = "SHA256SUMS"
METADATA = "tintflow"

Network = TypeVar("Network", bound="nn.Module")


class WeightsFile(NamedTuple):
    """Contents of a weights file."""

    metadata: dict[str, Any]
    tensors: dict[str, NDArray[Any]]
    sha256: str


def write_weights(module: "nn.Module", metadata: dict[str, Any], path: Path) -> str:
    """Write a module's parameters in float16 and its buffers as they are, and SHA256SUMS; return the SHA-256."""
    parameters = dict(module.named_parameters())
    tensors = {
        name: np.ascontiguousarray((tensor.half() if name in parameters else tensor).cpu().numpy())
        for name, tensor in module.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {METADATA: json.dumps(metadata)})  # one key, for safetensors would shuffle several
    path.chmod(0o644)  # safetensors writes for the owner alone, but servers run as another user
    digest = _sha256(path)
    sums = _read_sums(path.parent) | {path.name: digest}
    (path.parent / CHECKSUMS).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))
    return digest


def read_metadata(path: Path) -> tuple[dict[str, Any], str]:
    """Return what describes the weights that `write_weights` wrote, and the file's SHA-256.

    Raises CheckpointError where the file is missing, differs from its SHA-256 in SHA256SUMS, or is not ours.
    """
    digest = _checked(path)
    with _opened(path) as file:
        return _metadata(file), digest


def read_weights(path: Path, *names: str) -> WeightsFile:
    """Read what `write_weights` wrote.

    names: what the network may be called; any name, where none is given. Raises CheckpointError where the file is
    missing, differs from its SHA-256 in SHA256SUMS, is not ours, or holds another network.
    """
    digest = _checked(path)
    with _opened(path) as file:
        metadata = _metadata(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    if names and metadata.get("name") not in names:
        raise CheckpointError(f"{path}: expected {' or '.join(names)}, got {metadata.get('name')}")
    return WeightsFile(metadata, tensors, digest)


def restore(module: Network, tensors: dict[str, NDArray[Any]], path: Path) -> Network:
    """Fill a module with what was read from a file, ready to use. Raises CheckpointError if it does not fit."""
    import torch  # late: what describes weights is read without it

    try:
        # copies float16 into float32
        module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error
    if not all(np.isfinite(array).all() for array in tensors.values()):
        raise CheckpointError(f"{path} holds weights that are not finite numbers")
    return module.eval().requires_grad_(False)


def _checked(path: Path) -> str:
    """Return the file's SHA-256, which SHA256SUMS must name."""
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    sums = _read_sums(path.parent)
    if not sums:
        raise CheckpointError(f"no {CHECKSUMS} beside {path}: it must hold the file's SHA-256")
    if path.name not in sums:
        raise CheckpointError(f"{path.parent / CHECKSUMS} does not list {path.name}")
    digest = _sha256(path)
    if digest != sums[path.name]:
        raise CheckpointError(f"{path} is damaged: its SHA-256 {digest} is not the one in {CHECKSUMS}")
    return digest


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file. Raises CheckpointError for what it turns out not to hold."""
    try:
        with safe_open(path, "np") as file:
            yield file
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error


def _metadata(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((file.metadata() or {})[METADATA])
    return found


def _read_sums(folder: Path) -> dict[str, str]:
    sums = folder / CHECKSUMS
    lines = sums.read_text().splitlines() if sums.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

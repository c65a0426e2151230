"""Weights on disk: a safetensors file with a description, checked against the SHA256SUMS in its folder."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from model.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OpenedWeights", "explained", "open_weights", "restore", "write_weights", "write_whole"]

CHECKSUMS = "SHA256SUMS"
METADATA = "tintflow"
HEADER_LENGTH_BYTES = 8  # at the beginning of a safetensors file

Network = TypeVar("Network", bound="nn.Module")


@dataclass(frozen=True)
class OpenedWeights:
    """A weights file as it was when opened. It may be replaced or deleted afterwards."""

    path: Path
    metadata: dict[str, Any]
    data: bytes = field(repr=False)
    sha256: str

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, all of finite numbers. Raises CheckpointError."""
        with explained(self.path):
            arrays = load(self.data)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise CheckpointError(f"{self.path} holds weights that are not finite numbers")
        return arrays


def write_weights(module: "nn.Module", metadata: dict[str, Any], path: Path) -> str:
    """Write a module's parameters in float16 and its buffers as they are, and SHA256SUMS; return the SHA-256."""
    parameters = dict(module.named_parameters())
    tensors = {
        name: np.ascontiguousarray((tensor.half() if name in parameters else tensor).cpu().numpy())
        for name, tensor in module.state_dict().items()
    }
    data = save(tensors, {METADATA: json.dumps(metadata)})  # one key, since safetensors would shuffle several
    digest = hashlib.sha256(data).hexdigest()
    sums = _read_sums(path.parent) | {path.name: digest}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)  # not by safetensors, whose errors hide a full disk
    write_whole(path.parent / CHECKSUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
    return digest


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write a file whole or not at all. Raises OSError."""
    path = path.resolve()  # follows a link
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(data)
        partial.chmod(0o644)  # regardless of the umask, for servers run as another user
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def open_weights(path: Path, *names: str) -> OpenedWeights:
    """Read the bytes that `write_weights` wrote, and their description.

    names: allowed names of the network; default: any. Raises CheckpointError if the file is missing, does not match
    SHA256SUMS, is not a file of `write_weights`, or holds another network.
    """
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    sums = _read_sums(path.parent)
    if not sums:
        raise CheckpointError(f"no {CHECKSUMS} beside {path}: it must hold the file's SHA-256")
    if path.name not in sums:
        raise CheckpointError(f"{path.parent / CHECKSUMS} does not list {path.name}")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != sums[path.name]:
        raise CheckpointError(f"{path} is damaged: its SHA-256 {digest} is not the one in {CHECKSUMS}")
    with explained(path):
        length = int.from_bytes(data[:HEADER_LENGTH_BYTES], "little")
        header = json.loads(data[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length])
        metadata: dict[str, Any] = json.loads(header["__metadata__"][METADATA])
        if names and metadata.get("name") not in names:
            raise CheckpointError(f"{path}: expected {' or '.join(names)}, got {metadata.get('name')}")
    return OpenedWeights(path, metadata, data, digest)


def restore(module: Network, tensors: dict[str, NDArray[Any]], path: Path) -> Network:
    """Fill a module with the arrays of a file, ready to use. Raises CheckpointError if they do not fit."""
    import torch  # late: descriptions are read without it

    with explained(path):
        # copies float16 into float32
        module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return module.eval().requires_grad_(False)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise CheckpointError if contents are missing from a safetensors file, or belong to another network."""
    try:
        yield
    except (AttributeError, SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error


def _read_sums(folder: Path) -> dict[str, str]:
    sums = folder / CHECKSUMS
    lines = sums.read_text("utf-8", "replace").splitlines() if sums.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}

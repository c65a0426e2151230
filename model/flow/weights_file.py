"""Weights on disk: a safetensors file that also holds what describes it, checked by the SHA256SUMS beside it."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from model.errors import CheckpointError

__all__ = ["WeightsFile", "read_weights", "restore", "write_weights"]

CHECKSUMS = "SHA256SUMS"
METADATA = "tintflow"

Network = TypeVar("Network", bound=nn.Module)


class WeightsFile(NamedTuple):
    """Contents of a weights file."""

    metadata: dict[str, Any]
    tensors: dict[str, Tensor]
    sha256: str


def write_weights(module: nn.Module, metadata: dict[str, Any], path: Path) -> str:
    """Write a module's parameters in float16 and its buffers as they are, and SHA256SUMS; return the SHA-256."""
    parameters = dict(module.named_parameters())
    tensors = {
        name: (tensor.half() if name in parameters else tensor).contiguous()
        for name, tensor in module.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {METADATA: json.dumps(metadata)})  # one key, for safetensors would shuffle several
    path.chmod(0o644)  # safetensors writes for the owner alone, but servers run as another user
    digest = _sha256(path)
    sums = _read_sums(path.parent) | {path.name: digest}
    (path.parent / CHECKSUMS).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))
    return digest


def read_weights(path: Path, *names: str) -> WeightsFile:
    """Read what `write_weights` wrote.

    names: what the network may be called; any name, where none is given. Raises CheckpointError where the file is
    missing, differs from its SHA-256 in SHA256SUMS, is not ours, or holds another network.
    """
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
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error
    if names and metadata.get("name") not in names:
        raise CheckpointError(f"{path}: expected {' or '.join(names)}, got {metadata.get('name')}")
    return WeightsFile(metadata, tensors, digest)


def restore(module: Network, tensors: dict[str, Tensor], path: Path) -> Network:
    """Fill a module with what was read from a file, ready to use. Raises CheckpointError if it does not fit."""
    try:
        module.load_state_dict(tensors)  # copies float16 into float32
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds weights that are not finite numbers")
    return module.eval().requires_grad_(False)


def _read_sums(folder: Path) -> dict[str, str]:
    sums = folder / CHECKSUMS
    lines = sums.read_text().splitlines() if sums.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

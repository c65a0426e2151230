"""Weights of the digits' networks on disk: safetensors that hold their configuration, with SHA256SUMS beside them."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from model.errors import CheckpointError
from training.mnist.classifier import DigitClassifier
from training.mnist.flow import DigitFlow, DigitFlowConfig

__all__ = ["load_classifier", "load_flow", "save_classifier", "save_flow"]

CHECKSUMS = "SHA256SUMS"
METADATA = "tintflow"
FLOW_NAME = "tintflow-mnist-1"
CLASSIFIER_NAME = "tintflow-mnist-classifier-1"

Network = TypeVar("Network", bound=nn.Module)


def save_flow(flow: DigitFlow, path: Path) -> None:
    """Write the cINN's parameters in float16 and its buffers as they are."""
    _save(flow, {"name": FLOW_NAME, "config": asdict(flow.config)}, path)


def load_flow(path: Path) -> DigitFlow:
    """Read what `save_flow` wrote. Raises CheckpointError where it is missing, damaged or another network."""
    metadata, tensors = _load(path, FLOW_NAME)
    return _restore(DigitFlow(DigitFlowConfig(**metadata["config"])), tensors, path)


def save_classifier(classifier: DigitClassifier, path: Path) -> None:
    """Write the classifier's parameters in float16."""
    _save(classifier, {"name": CLASSIFIER_NAME}, path)


def load_classifier(path: Path) -> DigitClassifier:
    """Read what `save_classifier` wrote. Raises CheckpointError where it is missing, damaged or another network."""
    _, tensors = _load(path, CLASSIFIER_NAME)
    return _restore(DigitClassifier(), tensors, path)


def _save(module: nn.Module, metadata: dict[str, Any], path: Path) -> None:
    parameters = dict(module.named_parameters())
    tensors = {
        name: (tensor.half() if name in parameters else tensor).contiguous()
        for name, tensor in module.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {METADATA: json.dumps(metadata)})  # one key, for safetensors would shuffle several
    path.chmod(0o644)  # safetensors writes for the owner alone
    sums = _checksums(path.parent) | {path.name: _sha256(path)}
    (path.parent / CHECKSUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))


def _load(path: Path, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    if _sha256(path) != _checksums(path.parent).get(path.name):
        raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one in {CHECKSUMS}")
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not hold our weights: {error}") from error
    if metadata.get("name") != name:
        raise CheckpointError(f"{path}: expected {name}, got {metadata.get('name')}")
    return metadata, tensors


def _restore(module: Network, tensors: dict[str, Tensor], path: Path) -> Network:
    try:
        module.load_state_dict(tensors)  # copies float16 into float32
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds weights that are not finite numbers")
    return module.eval().requires_grad_(False)


def _checksums(folder: Path) -> dict[str, str]:
    sums = folder / CHECKSUMS
    lines = sums.read_text().splitlines() if sums.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

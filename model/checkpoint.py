"""Weights on disk: one safetensors file that also holds the configuration, checked by its SHA-256."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.cinn import Cinn, CinnConfig
from model.errors import CheckpointError
from model.level import LevelConfig

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

CHECKSUMS = "SHA256SUMS"
METADATA = "tintflow"


@dataclass(frozen=True)
class Checkpoint:
    """A cINN, and how it is best sampled."""

    cinn: Cinn
    name: str
    """name and version, as in `tintflow-cwf-1`"""
    temperature: float
    """the recommended one"""
    temperature_exponents: tuple[float, ...]
    """γ of each level, coarse to fine: a level is drawn at temperature^γ"""
    sha256: str = ""


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> str:
    """Write weights with their configuration, and the SHA256SUMS beside them; return the SHA-256.

    Parameters are stored in float16, which changes a sample by less than 8 bits can show; buffers, among them the
    orthogonal matrices, stay in float32.
    """
    parameters = dict(checkpoint.cinn.named_parameters())
    tensors = {
        name: (tensor.half() if name in parameters else tensor).contiguous()
        for name, tensor in checkpoint.cinn.state_dict().items()
    }
    metadata = {
        "name": checkpoint.name,
        "temperature": checkpoint.temperature,
        "temperature_exponents": checkpoint.temperature_exponents,
        "config": asdict(checkpoint.cinn.config),
    }
    save_file(tensors, path, {METADATA: json.dumps(metadata)})  # one key, for safetensors would shuffle several
    path.chmod(0o644)  # safetensors writes for the owner alone, but servers run as another user
    digest = _sha256(path)
    sums = path.parent / CHECKSUMS
    others = sums.read_text().splitlines() if sums.is_file() else []
    kept = [line for line in others if line.partition("  ")[2] != path.name]
    sums.write_text("\n".join(sorted([*kept, f"{digest}  {path.name}"], key=lambda line: line[66:])) + "\n")
    return digest


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read weights that `save_checkpoint` wrote, ready to sample.

    Raises CheckpointError where the file is missing, differs from its SHA-256 in SHA256SUMS, or is not ours.
    """
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    digest = _sha256(path)
    if digest != _expected_sha256(path):
        raise CheckpointError(f"{path} is damaged: its SHA-256 {digest} is not the one in {CHECKSUMS}")
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a mapping)
        config = metadata["config"]
        levels = tuple(LevelConfig(**level) for level in config.pop("levels"))
        cinn = Cinn(CinnConfig(levels=levels, **config))
        cinn.load_state_dict(tensors)
        checkpoint = Checkpoint(
            cinn.eval().requires_grad_(False).to(device),
            metadata["name"],
            float(metadata["temperature"]),
            tuple(metadata["temperature_exponents"]),
            digest,
        )
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error
    if len(checkpoint.temperature_exponents) != len(checkpoint.cinn.levels):
        raise CheckpointError(f"{path} does not hold one temperature exponent for each level")
    if not all(bool(torch.isfinite(p).all()) for p in checkpoint.cinn.state_dict().values()):
        raise CheckpointError(f"{path} holds weights that are not finite numbers")
    return checkpoint


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _expected_sha256(path: Path) -> str:
    sums = path.parent / CHECKSUMS
    if not sums.is_file():
        raise CheckpointError(f"no {CHECKSUMS} beside {path}")
    for line in sums.read_text().splitlines():
        digest, _, name = line.partition("  ")
        if name == path.name:
            return digest
    raise CheckpointError(f"{sums} does not list {path.name}")

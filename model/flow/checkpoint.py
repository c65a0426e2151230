"""The cINN's checkpoint: weights, configuration and how to sample them, in one file."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.errors import CheckpointError
from model.flow.autoregressive import AutoregressiveConfig
from model.flow.cells import PriorConfig
from model.flow.cinn import Cinn, CinnConfig
from model.flow.decoder import DecoderConfig
from model.flow.detail_level import DetailConfig
from model.flow.weights_file import read_weights, restore, write_weights

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A cINN, and how it is best sampled."""

    cinn: Cinn
    name: str
    """name and version, as in `tintflow-cwf-1`"""
    temperature: float
    """the recommended one"""
    temperature_exponents: tuple[float, ...]
    """γ of each level, coarse to fine: below 1, a finer level's latents are drawn at temperature^γ; the coarsest's
    counts only where a latent norm is asked for, since its mixtures are tempered themselves"""
    sha256: str = ""


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> str:
    """Write weights with their configuration, and the SHA256SUMS beside them; return the SHA-256.

    Parameters are stored in float16, which changes a sample by less than 8 bits can show; buffers, among them the
    orthogonal matrices, stay in float32.
    """
    metadata = {
        "name": checkpoint.name,
        "temperature": checkpoint.temperature,
        "temperature_exponents": checkpoint.temperature_exponents,
        "config": asdict(checkpoint.cinn.config),
    }
    return write_weights(checkpoint.cinn, metadata, path)


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read weights that `save_checkpoint` wrote, ready to sample.

    Raises CheckpointError where the file is missing, differs from its SHA-256 in SHA256SUMS, or is not ours.
    """
    metadata, tensors, digest = read_weights(path)
    try:
        cinn = Cinn(_config(metadata["config"]))
        name, temperature = metadata["name"], float(metadata["temperature"])
        exponents = tuple(metadata["temperature_exponents"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not hold weights of this version: {error}") from error
    if len(exponents) != len(cinn.dims):
        raise CheckpointError(f"{path} does not hold one temperature exponent for each level")
    return Checkpoint(restore(cinn, tensors, path).to(device), name, temperature, exponents, digest)


def _config(numbers: dict[str, Any]) -> CinnConfig:
    return CinnConfig(
        coarsest=AutoregressiveConfig(**numbers["coarsest"]),
        decoder=DecoderConfig(**_with_tuples(numbers["decoder"])),
        details=tuple(DetailConfig(**level) for level in numbers["details"]),
        prior=PriorConfig(**numbers["prior"]),
        seed=numbers["seed"],
    )


def _with_tuples(numbers: dict[str, Any]) -> dict[str, Any]:
    """Undo what JSON makes of tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in numbers.items()}

"""The cINN's checkpoint: weights, configuration and how to sample them, in one file.

Both are read without torch, as arrays; they become a module of torch when somebody asks for one.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import InputError
from model.flow.arrays import CinnArrays
from model.flow.config import AutoregressiveConfig, CinnConfig, DecoderConfig, DetailConfig, PriorConfig, RewardConfig
from model.flow.weights_file import OpenedWeights, explained, open_weights, restore, write_weights
from model.options import MAX_TEMPERATURE, check_range

if TYPE_CHECKING:
    from model.flow.cinn import Cinn

__all__ = ["Checkpoint", "StoredCheckpoint", "load_checkpoint", "open_checkpoint", "save_checkpoint"]

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Names of weights: the service sends them in a header and writes them into files."""


@dataclass(frozen=True)
class Checkpoint:
    """A cINN, and how it is best sampled.

    Raises InputError for a name, a temperature or exponents that the service could not use.
    """

    cinn: "Cinn"
    name: str
    """name and version, as in `tintflow-cwf-1`"""
    temperature: float
    """the recommended one"""
    temperature_exponents: tuple[float, ...]
    """γ of each level, coarse to fine: below 1, a finer level's latents are drawn at temperature^γ, in large photos
    with a larger γ; the coarsest's counts only where a latent norm is asked for, since its mixtures are tempered
    themselves"""
    sha256: str = ""

    def __post_init__(self) -> None:
        _check(self.name, self.temperature, self.temperature_exponents, len(self.cinn.dims))

    @property
    def arrays(self) -> CinnArrays:
        """The network's weights, which share its memory on a CPU."""
        return CinnArrays.of(self.cinn)


@dataclass(frozen=True)
class StoredCheckpoint:
    """A `Checkpoint` whose weights are read when they are first asked for, as arrays or as a module of torch.

    It keeps the file's bytes: what later becomes of the file changes nothing.
    """

    file: OpenedWeights
    name: str
    temperature: float
    temperature_exponents: tuple[float, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return self.file.sha256

    @cached_property
    def config(self) -> CinnConfig:
        """The network's configuration. Raises CheckpointError."""
        with explained(self.file.path):
            return _config(self.file.metadata["config"])

    @cached_property
    def arrays(self) -> CinnArrays:
        """The network's weights. Raises CheckpointError."""
        return CinnArrays.of_file(self.config, self.file.tensors())

    @cached_property
    def cinn(self) -> "Cinn":
        """The network in torch, on the CPU. Raises CheckpointError."""
        from model.flow.cinn import Cinn  # late: it imports torch

        return restore(Cinn(self.config), self.file.tensors(), self.file.path)


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


def open_checkpoint(path: Path) -> StoredCheckpoint:
    """Read the weights that `save_checkpoint` wrote, and check the file's SHA-256; without torch.

    Raises CheckpointError where the file is missing, differs from its SHA-256 in SHA256SUMS, is not ours, or holds what
    `Checkpoint` refuses.
    """
    file = open_weights(path)
    metadata = file.metadata
    with explained(path):
        name, temperature = metadata["name"], float(metadata["temperature"])
        exponents = tuple(metadata["temperature_exponents"])
        _check(name, temperature, exponents, 1 + len(metadata["config"]["details"]))
    return StoredCheckpoint(file, name, temperature, exponents)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read weights that `save_checkpoint` wrote, on the CPU. Raises what `open_checkpoint` raises."""
    stored = open_checkpoint(path)
    return Checkpoint(stored.cinn, stored.name, stored.temperature, stored.temperature_exponents, stored.sha256)


def _check(name: str, temperature: float, exponents: Sequence[float], levels: int) -> None:
    """Raise InputError unless weights of so many levels can have this name, temperature and exponents."""
    if not NAME.fullmatch(name):
        raise InputError("name", "1 to 64 letters of a to z, digits, dots, underscores and hyphens", repr(name))
    check_range("temperature", temperature, 0, MAX_TEMPERATURE)
    if len(exponents) != levels or not all(0 <= each < math.inf for each in exponents):
        raise InputError("exponent", f"{levels} numbers of at least 0, one for each level", list(exponents))


def _config(numbers: dict[str, Any]) -> CinnConfig:
    return CinnConfig(
        coarsest=AutoregressiveConfig(**numbers["coarsest"]),
        decoder=DecoderConfig(**_with_tuples(numbers["decoder"])),
        details=tuple(DetailConfig(**level) for level in numbers["details"]),
        prior=PriorConfig(**numbers["prior"]),
        reward=RewardConfig(**numbers["reward"]),
        seed=numbers["seed"],
    )


def _with_tuples(numbers: dict[str, Any]) -> dict[str, Any]:
    """Undo what JSON makes of tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in numbers.items()}

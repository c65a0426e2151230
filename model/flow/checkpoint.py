"""The cINN's checkpoint: weights, configuration and how to sample them, in one file.

It is read without torch, as arrays; a torch module is made from these on request.
"""

import math
import re
from dataclasses import asdict, dataclass, replace
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

__all__ = ["Checkpoint", "load_checkpoint", "open_checkpoint", "save_checkpoint"]

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Names of weights: the service sends them in a header and writes them into files."""


@dataclass(frozen=True)
class Checkpoint:
    """A cINN, and its recommended sampling.

    Raises InputError for a name, a temperature or exponents that the service could not use.
    """

    network: "Cinn | OpenedWeights"
    """a network in memory, or a file's bytes, decoded at the first use of `arrays` or of the torch module"""
    name: str
    """name and version, as in `tintflow-cwf-1`"""
    temperature: float
    """recommended temperature"""
    temperature_exponents: tuple[float, ...]
    """γ of each level, coarse to fine: below 1, a finer level's latents are drawn at temperature^γ, in large photos
    with a larger γ; the coarsest level's γ is used only with a latent norm, since its temperature applies to its
    mixtures"""
    sha256: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(
                "name", "1 to 64 letters of a to z, digits, dots, underscores and hyphens", repr(self.name)
            )
        check_range("temperature", self.temperature, 0, MAX_TEMPERATURE)
        exponents, levels = self.temperature_exponents, len(self.config.dims)
        if len(exponents) != levels or not all(0 <= each < math.inf for each in exponents):
            raise InputError("exponent", f"{levels} numbers of at least 0, one for each level", list(exponents))

    @cached_property
    def config(self) -> CinnConfig:
        """The network's configuration. Raises CheckpointError."""
        if not isinstance(self.network, OpenedWeights):
            return self.network.config
        with explained(self.network.path):
            return _config(self.network.metadata["config"])

    @property
    def arrays(self) -> CinnArrays:
        """The network's weights. On a CPU, they share memory with a network in memory. Raises CheckpointError."""
        if isinstance(self.network, OpenedWeights):
            return CinnArrays.of_file(self.config, self.network.tensors())
        return CinnArrays.of(self.network)

    @cached_property
    def cinn(self) -> "Cinn":
        """The network in torch; from a file, on the CPU. Raises CheckpointError."""
        if not isinstance(self.network, OpenedWeights):
            return self.network
        from model.flow.cinn import Cinn  # late: it imports torch

        return restore(Cinn(self.config), self.network.tensors(), self.network.path)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> str:
    """Write weights with their configuration, and SHA256SUMS in the same folder; return the SHA-256.

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


def open_checkpoint(path: Path) -> Checkpoint:
    """Read the weights that `save_checkpoint` wrote, and check the file's SHA-256; without torch.

    Raises CheckpointError if the file is missing, does not match SHA256SUMS, is not a checkpoint of this project, or
    holds values that `Checkpoint` refuses.
    """
    file = open_weights(path)
    facts = file.metadata
    with explained(path):
        exponents = tuple(facts["temperature_exponents"])
        return Checkpoint(file, facts["name"], float(facts["temperature"]), exponents, file.sha256)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read weights that `save_checkpoint` wrote, on the CPU. Raises the errors of `open_checkpoint`."""
    opened = open_checkpoint(path)
    return replace(opened, network=opened.cinn)


def _config(numbers: dict[str, Any]) -> CinnConfig:
    # JSON turns tuples into lists
    decoder: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in numbers["decoder"].items()}
    return CinnConfig(
        coarsest=AutoregressiveConfig(**numbers["coarsest"]),
        decoder=DecoderConfig(**decoder),
        details=tuple(DetailConfig(**level) for level in numbers["details"]),
        prior=PriorConfig(**numbers["prior"]),
        reward=RewardConfig(**numbers["reward"]),
        seed=numbers["seed"],
    )

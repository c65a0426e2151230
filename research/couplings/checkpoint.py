"""A network of couplings on disk, as `model.flow.weights_file` keeps it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.flow.weights_file import read_weights, restore, write_weights
from research.couplings.chain import ChainConfig
from research.couplings.cinn import CouplingCinn, CouplingConfig
from research.couplings.level import LevelConfig

__all__ = ["load_couplings", "save_couplings"]

NAME = "tintflow-couplings"


def save_couplings(cinn: CouplingCinn, path: Path) -> None:
    """Write parameters in float16 and buffers as they are."""
    write_weights(cinn, {"name": NAME, "config": asdict(cinn.config)}, path)


def load_couplings(path: Path, device: str = "cpu") -> CouplingCinn:
    """Read what `save_couplings` wrote. Raises CheckpointError where it is missing, damaged or another network."""
    metadata, tensors, _ = read_weights(path, NAME)
    config = metadata["config"]
    levels = tuple(_level_config(level) for level in config["levels"])
    return restore(CouplingCinn(CouplingConfig(levels, config["seed"])), tensors, path).to(device)


def _level_config(numbers: dict[str, Any]) -> LevelConfig | ChainConfig:
    if "head_widths" not in numbers:
        return LevelConfig(**numbers)
    frozen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in numbers.items()
    }
    return ChainConfig(**frozen)

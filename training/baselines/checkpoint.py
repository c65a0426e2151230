"""A baseline with all that it needs to colorize, and its file."""

from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.errors import CheckpointError
from model.flow.cinn import Cinn
from model.flow.condition import ConditionNetwork
from model.flow.weights_file import read_weights, restore, write_weights
from training.baselines.decoder import DecoderConfig
from training.baselines.networks import BASELINES
from training.dataset import Batch

__all__ = ["BaselineColorizer", "load_baseline", "save_baseline"]

PREFIX = "tintflow-baseline-"


class BaselineColorizer(nn.Module):
    """h, the scales of a*b*, and a baseline trained with them."""

    chroma_mean: Tensor
    chroma_std: Tensor

    def __init__(self, name: str, config: DecoderConfig) -> None:
        super().__init__()
        self.name, self.config = name, config
        self.network = ConditionNetwork()
        self.register_buffer("chroma_mean", torch.zeros(2, 1, 1))
        self.register_buffer("chroma_std", torch.ones(2, 1, 1))
        self.baseline = BASELINES[name](config)

    def surround(self, cinn: Cinn) -> None:
        """Take over h and the scales of a*b* from a cINN."""
        self.network.load_state_dict(cinn.network.state_dict())
        self.chroma_mean.copy_(cinn.chroma_mean)
        self.chroma_std.copy_(cinn.chroma_std)

    def sample(self, lightness: Tensor, z: Tensor) -> Tensor:
        """Colorize one photo: (N, 2, 64, 64) a*b*.

        lightness: (1, 1, 256, 256), L* in [0, 100]. z: (N, …), latents of the baseline.
        """
        empty = lightness.new_empty(0)
        batch = Batch(self.network(lightness), F.avg_pool2d(lightness, 2), empty)
        return self.baseline.paint(batch, z).expand(len(z), -1, -1, -1) * self.chroma_std + self.chroma_mean


def save_baseline(colorizer: BaselineColorizer, path: Path) -> None:
    """Write parameters in float16 and buffers as they are."""
    write_weights(colorizer, {"name": PREFIX + colorizer.name, "config": asdict(colorizer.config)}, path)


def load_baseline(path: Path, device: str = "cpu") -> BaselineColorizer:
    """Read what `save_baseline` wrote. Raises CheckpointError where it is missing, damaged or another network."""
    metadata, tensors, _ = read_weights(path)
    name = str(metadata.get("name")).removeprefix(PREFIX)
    if name not in BASELINES:
        raise CheckpointError(f"{path}: expected {PREFIX}{'|'.join(BASELINES)}, got {metadata.get('name')}")
    config = metadata["config"]
    config["widths"] = tuple(config["widths"])
    return restore(BaselineColorizer(name, DecoderConfig(**config)), tensors, path).to(device)

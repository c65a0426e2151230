"""A rival with h and the scales of a*b*, and its file."""

from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.condition import ConditionNetwork
from model.flow.weights_file import open_weights, restore, write_weights
from research.rivals.decoder import DecoderConfig
from research.rivals.networks import RIVALS
from training.dataset import Batch

__all__ = ["RivalColorizer", "load_rival", "save_rival"]

PREFIX = "tintflow-rival-"


class RivalColorizer(nn.Module):
    """A rival with the h and the scales of a*b* that it was trained with."""

    chroma_mean: Tensor
    chroma_std: Tensor

    def __init__(self, name: str, config: DecoderConfig) -> None:
        super().__init__()
        self.name, self.config = name, config
        self.network = ConditionNetwork()
        self.register_buffer("chroma_mean", torch.zeros(2, 1, 1))
        self.register_buffer("chroma_std", torch.ones(2, 1, 1))
        self.rival = RIVALS[name](config)

    def surround(self, cinn: Cinn) -> None:
        """Copy h and the scales of a*b* from a cINN."""
        self.network.load_state_dict(cinn.network.state_dict())
        self.chroma_mean.copy_(cinn.chroma_mean)
        self.chroma_std.copy_(cinn.chroma_std)

    def sample(self, lightness: Tensor, z: Tensor) -> Tensor:
        """Colorize one photo: (N, 2, 64, 64) a*b*.

        lightness: (1, 1, 256, 256), L* in [0, 100]. z: (N, …), latents of the rival.
        """
        empty = lightness.new_empty(0)
        batch = Batch(self.network(lightness), F.avg_pool2d(lightness, 2), empty)
        return self.rival.paint(batch, z).expand(len(z), -1, -1, -1) * self.chroma_std + self.chroma_mean


def save_rival(colorizer: RivalColorizer, path: Path) -> None:
    """Write parameters in float16 and buffers as they are."""
    write_weights(colorizer, {"name": PREFIX + colorizer.name, "config": asdict(colorizer.config)}, path)


def load_rival(path: Path, device: str = "cpu") -> RivalColorizer:
    """Read a file of `save_rival`. Raises CheckpointError if it is missing, damaged or of another network."""
    file = open_weights(path, *(PREFIX + name for name in RIVALS))
    name, config = file.metadata["name"].removeprefix(PREFIX), file.metadata["config"]
    config["widths"] = tuple(config["widths"])
    return restore(RivalColorizer(name, DecoderConfig(**config)), file.tensors(), path).to(device)

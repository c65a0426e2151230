"""The condition network h, which computes the flow's condition from a photo's lightness."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.config import LITE0_STAGES, Stage
from model.flow.constants import EARLY_STAGES, FEATURE_CHANNELS, STEM_STRIDE

__all__ = ["ConditionFeatures", "ConditionNetwork", "InvertedResidual", "imagenet_input"]

STEM_CHANNELS = 32


class ConditionFeatures(NamedTuple):
    """Features of a 256×256 lightness, from fine to coarse, each channel standardized over the training photos."""

    at_32: Tensor
    """(B, 40, 32, 32)"""
    at_16: Tensor
    """(B, 112, 16, 16)"""
    at_8: Tensor
    """(B, 320, 8, 8)"""
    at_1: Tensor
    """(B, 1280), the mean over the photo"""


class SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's "SAME" does, with any extra pixel at the bottom and right.

    The ImageNet weights were trained with it; symmetric padding would shift every stride-2 layer by half a pixel.
    """

    def forward(self, x: Tensor) -> Tensor:
        stride, kernel = self.stride[0], self.kernel_size[0]
        pad = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:]]
        if pad[0] % 2 == 0 and pad[1] % 2 == 0:
            padding = (pad[0] // 2, pad[1] // 2)
            return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        x = F.pad(x, (pad[1] // 2, pad[1] - pad[1] // 2, pad[0] // 2, pad[0] - pad[0] // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise k×k, project 1×1, with a skip where shapes allow (MobileNetV2, arXiv 1801.04381)."""

    def __init__(self, in_channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = in_channels * stage.expansion
        self.expand = SameConv(in_channels, hidden, 1) if stage.expansion != 1 else None
        self.depthwise = SameConv(hidden, hidden, stage.kernel, stride=stride, groups=hidden)
        self.project = SameConv(hidden, stage.channels, 1)
        self.skip = stride == 1 and in_channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.expand is None else F.relu6(self.expand(x))
        h = self.project(F.relu6(self.depthwise(h)))
        return x + h if self.skip else h


class ConditionNetwork(nn.Module):
    """EfficientNet-Lite0 as a feature pyramid, its batch norms folded into the convolutions.

    After folding, nothing depends on the batch, so forward and inverse always agree.
    Source: EfficientNet (arXiv 1905.11946), Lite variant: no squeeze-and-excitation, ReLU6.
    """

    def __init__(self, stages: tuple[Stage, ...] = LITE0_STAGES) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM_CHANNELS, 3, stride=STEM_STRIDE)
        self.stages = nn.ModuleList()
        channels = STEM_CHANNELS
        for stage in stages:
            blocks = nn.Sequential()
            for stride in stage.strides:
                blocks.append(InvertedResidual(channels, stage, stride))
                channels = stage.channels
            self.stages.append(blocks)
        self.top = SameConv(channels, FEATURE_CHANNELS["at_1"][1], 1)
        for name, (_, count) in FEATURE_CHANNELS.items():
            self.register_buffer(f"mean_{name}", torch.zeros(count))
            self.register_buffer(f"std_{name}", torch.ones(count))

    def forward(self, lightness: Tensor) -> ConditionFeatures:
        """Compute the pyramid.

        lightness: (B, 1, 256, 256), L* in [0, 100].
        """
        x = F.relu6(self.stem(gray_input(lightness).expand(-1, 3, -1, -1)))
        for stage in self.stages[:EARLY_STAGES]:
            x = stage(x)
        return self.refine(x)

    def refine(self, x: Tensor) -> ConditionFeatures:
        """Compute the pyramid from the early stages' output, (B, 40, 32, 32), not standardized."""
        outputs = [x]
        for stage in self.stages[EARLY_STAGES:]:
            x = stage(x)
            outputs.append(x)
        at_1 = F.relu6(self.top(x)).mean((2, 3))
        raw = {"at_32": outputs[0], "at_16": outputs[2], "at_8": outputs[4], "at_1": at_1}
        return ConditionFeatures(**{name: self._standardize(name, feature) for name, feature in raw.items()})

    def scales(self, name: str) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of a feature's channels, shaped to fit it."""
        shape = (-1, 1, 1) if FEATURE_CHANNELS[name][0] > 1 else (-1,)
        return self.get_buffer(f"mean_{name}").view(shape), self.get_buffer(f"std_{name}").view(shape)

    def _standardize(self, name: str, feature: Tensor) -> Tensor:
        mean, std = self.scales(name)
        return (feature - mean) / std


def gray_input(lightness: Tensor) -> Tensor:
    """Turn L* into the gray of the same lightness, scaled as the ImageNet weights expect.

    lightness: any shape, L* in [0, 100]. Returns (x·255 − 127)/128 of the gray x in [0, 1], sRGB-encoded.
    Source: CIE 15:2004 (L* to Y), IEC 61966-2-1 (Y to sRGB).
    """
    f = (lightness + 16) / 116
    linear = torch.where(lightness > 8, f**3, lightness * (27 / 24389))
    gray = torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)
    return imagenet_input(gray)


def imagenet_input(rgb: Tensor) -> Tensor:
    """Scale sRGB in [0, 1] as the ImageNet weights expect."""
    return (rgb * 255 - 127) / 128

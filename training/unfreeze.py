"""Training of the condition network h, of its late stages or all, together with the levels that it feeds.

In late training, the stages up to 32×32 stay fixed, so the stored features of that size serve as input. The later
stages learn which features of a gray photo tell colors apart.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.condition import ConditionFeatures, ConditionNetwork, InvertedResidual
from model.flow.constants import EARLY_STAGES
from training.precision import mixed_precision

__all__ = ["FixedDepthwise", "refine", "unfreeze"]


class FixedDepthwise(nn.Module):
    """A depthwise convolution with "SAME" padding whose kernels are not trained.

    Its gradient for the input is computed as a convolution with the flipped kernels: torch has no fast backward for
    5×5 depthwise convolutions on a CPU. With it, 88 photos per second are trained; without it, 22.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        conv.requires_grad_(False)
        self.weight, self.bias, self.stride = conv.weight, conv.bias, conv.stride[0]

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W). Returns (B, C, ⌈H/stride⌉, ⌈W/stride⌉)."""
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        return cast(Tensor, _Depthwise.apply(x, weight, bias, self.stride))  # type: ignore[no-untyped-call]


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution with "SAME" padding; only the input has a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        border = weight.shape[-1] - 1
        total = [max((-(-size // stride) - 1) * stride + border + 1 - size, 0) for size in x.shape[-2:]]
        ctx.save_for_backward(weight)
        ctx.stride, ctx.shape, ctx.before = stride, x.shape, [each // 2 for each in total]
        if stride == 1:  # padded evenly, without a copy
            return F.conv2d(x, weight, bias, padding=border // 2, groups=len(weight))
        (top, left), (bottom, right) = ctx.before, (each - each // 2 for each in total)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,), (gradient,) = ctx.saved_tensors, gradients
        border, flipped = weight.shape[-1] - 1, weight.flip(2, 3)
        if ctx.stride == 1:
            return F.conv2d(gradient, flipped, padding=border // 2, groups=len(weight)), None, None, None
        batch, channels, height, width = ctx.shape
        spread = gradient.new_zeros(batch, height + border, width + border, channels).permute(0, 3, 1, 2)
        top, left = (border - each for each in ctx.before)
        rows, columns = gradient.shape[-2:]
        spread[:, :, top :: ctx.stride, left :: ctx.stride][:, :, :rows, :columns] = gradient
        return F.conv2d(spread, flipped, groups=len(weight)), None, None, None


def unfreeze(network: ConditionNetwork, first: int = EARLY_STAGES) -> list[nn.Parameter]:
    """Make h's stages trainable from `first` on, except depthwise kernels; return their parameters.

    The stem belongs to stage 0. Parameter names stay, so that the network's state still fits a ConditionNetwork.
    All are in channels-last format, with which a CPU trains fastest.
    """
    network.requires_grad_(False)
    network.stem.requires_grad_(first == 0)
    for stage in network.stages[first:]:
        for block in cast("nn.Sequential", stage):
            cast(InvertedResidual, block).requires_grad_(True)
            block.depthwise = FixedDepthwise(cast(nn.Conv2d, block.depthwise))
    network.top.requires_grad_(True)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def refine(network: ConditionNetwork, stored: ConditionFeatures) -> ConditionFeatures:
    """Compute the late stages from stored features of 32×32."""
    mean, std = network.scales("at_32")
    x = (stored.at_32 * std + mean).contiguous(memory_format=torch.channels_last)
    with mixed_precision(x.device):
        return network.refine(x)

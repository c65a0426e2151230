"""Late training of the condition network h, together with the levels that it feeds, or of all its stages.

In late training, the stages up to 32×32 stay as they are, so the stored features of that size serve as input. The later
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
    5×5 depthwise convolutions on a CPU, and without this 88 photos a second became 22.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight.requires_grad_(False), conv.bias
        if self.bias is not None:
            self.bias.requires_grad_(False)
        self.stride = conv.stride[0]

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W). Returns (B, C, ⌈H/stride⌉, ⌈W/stride⌉)."""
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        kernel = weight.shape[-1]
        total = [max((-(-size // self.stride) - 1) * self.stride + kernel - size, 0) for size in x.shape[-2:]]
        padding = (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)
        return cast(Tensor, _Depthwise.apply(F.pad(x, padding), weight, bias, self.stride))  # type: ignore[no-untyped-call]


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution of an input that is already padded; only the input has a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.shape = stride, x.shape
        return F.conv2d(x, weight, bias, stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,), (gradient,) = ctx.saved_tensors, gradients
        if ctx.stride > 1:
            height, width = ((size - 1) * ctx.stride + 1 for size in gradient.shape[-2:])
            spread = gradient.new_zeros(*gradient.shape[:2], height, width)
            spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
            gradient = spread.contiguous(memory_format=torch.channels_last)
        border = weight.shape[-1] - 1
        # Rows and columns that no window reached, at the bottom and at the right, have no gradient.
        bottom, right = (ctx.shape[i] - gradient.shape[i] - border for i in (2, 3))
        padded = F.pad(gradient, (border, border + right, border, border + bottom))
        return F.conv2d(padded, weight.flip(2, 3), groups=len(weight)), None, None, None


def unfreeze(network: ConditionNetwork, first: int = EARLY_STAGES) -> list[nn.Parameter]:
    """Make the stages of h from the first on trainable, but for their depthwise kernels; return their parameters.

    The stem goes with stage 0. Names of parameters stay, so that the network's state still fits a ConditionNetwork.
    """
    network.requires_grad_(False)
    network.stem.requires_grad_(first == 0)
    for stage in network.stages[first:]:
        for block in cast("nn.Sequential", stage):
            cast(InvertedResidual, block).requires_grad_(True)
            block.depthwise = FixedDepthwise(cast(nn.Conv2d, block.depthwise))
    network.top.requires_grad_(True)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def refine(network: ConditionNetwork, stored: ConditionFeatures) -> ConditionFeatures:
    """Compute the late stages anew from stored features of 32×32."""
    mean, std = network.scales("at_32")
    x = (stored.at_32 * std + mean).contiguous(memory_format=torch.channels_last)
    with mixed_precision(x.device):
        return network.refine(x)

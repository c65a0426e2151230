"""Perceptual features of a picture, in which colorings that look alike to viewers lie close together."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.condition import ConditionNetwork, imagenet_input
from model.pixels.color import DELTA, KAPPA, WHITE_D65, XYZ_TO_SRGB
from training.imagenet import load_imagenet_weights
from training.precision import mixed_precision
from training.unfreeze import unfreeze

__all__ = ["Perception", "lab_to_rgb"]

STAGES = 5
"""Number of EfficientNet-Lite0's stages up to the output used, a sixteenth as large as the picture.

Of all stages, this one's distance from the true colors says most about what viewers find real.
"""


class Perception(nn.Module):
    """EfficientNet-Lite0's features of a colored picture, with fixed ImageNet weights.

    Source: Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric
    (arXiv 1801.03924).
    """

    def __init__(self) -> None:
        """Load the weights. Raises ModuleNotFoundError if they are not installed, see `load_imagenet_weights`."""
        super().__init__()
        network = ConditionNetwork()
        load_imagenet_weights(network)
        unfreeze(network, 0)  # for the faster gradient of its depthwise convolutions
        self.network = network
        self.requires_grad_(False)

    def forward(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """Compute features with gradients, (B, D).

        lightness: (B, 1, H, W), L* in [0, 100]. chroma: (B, 2, h, w), a*b*, which a bicubic filter enlarges.
        """
        enlarged = F.interpolate(chroma, lightness.shape[-2:], mode="bicubic", align_corners=False)
        pixels = lab_to_rgb(torch.cat((lightness, enlarged), 1)).contiguous(memory_format=torch.channels_last)
        with mixed_precision(lightness.device):
            seen = F.relu6(self.network.stem(imagenet_input(pixels)))
            for stage in self.network.stages[:STAGES]:
                seen = stage(seen)
        return seen.float().flatten(1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert CIELAB to sRGB clipped to [0, 1], with gradients; see `model.pixels.color`. lab: (B, 3, H, W)."""
    y = (lab[:, 0] + 16) / 116
    f = torch.stack((y + lab[:, 1] / 500, y, y - lab[:, 2] / 200), 1)
    ratio = torch.where(f > DELTA, f**3, (116 * f - 16) / KAPPA)
    matrix, white = (torch.tensor(each, dtype=lab.dtype, device=lab.device) for each in (XYZ_TO_SRGB, WHITE_D65))
    linear = torch.einsum("ij,bjhw->bihw", matrix * white, ratio).clamp(0, 1)
    least = 0.04045 / 12.92
    return torch.where(linear > least, 1.055 * linear.clamp_min(least) ** (1 / 2.4) - 0.055, 12.92 * linear)

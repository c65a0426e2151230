"""Colour: sRGB to CIELAB and back, for D65 and the 2° observer."""

import torch
from torch import Tensor

__all__ = ["rgb_to_lab"]

# IEC 61966-2-1, linear sRGB to XYZ
SRGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE_D65 = (0.95047, 1.0, 1.08883)
EPSILON = 216 / 24389
KAPPA = 24389 / 27


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIELAB (D65, 2° observer).

    rgb: (B, 3, H, W) in [0, 1]. Returns (B, 3, H, W): L* in [0, 100], a*b* unclipped.
    Source: CIE 15:2004, IEC 61966-2-1.
    """
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("ij,bjhw->bihw", rgb.new_tensor(SRGB_TO_XYZ), linear)
    ratio = xyz / rgb.new_tensor(WHITE_D65)[:, None, None]
    f = torch.where(ratio > EPSILON, ratio.clamp_min(EPSILON) ** (1 / 3), (KAPPA * ratio + 16) / 116)
    x, y, z = f.unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)

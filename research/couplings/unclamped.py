"""Blocks without a soft clamp, for the ablation that shows its benefit."""

import torch
from torch import Tensor

from model.flow.affine import ConditionalAffine
from model.flow.coupling import AffineCoupling

__all__ = ["UnclampedAffine", "UnclampedCoupling"]


class UnclampedAffine(ConditionalAffine):
    """A conditional affine layer with an unlimited log-scale."""

    def _mean_and_log_scale(self, condition: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        mean, log_scale = condition.to(dtype).chunk(2, 1)
        return mean, log_scale


class UnclampedCoupling(AffineCoupling):
    """A coupling whose log-scale and subnet inputs are unlimited."""

    def scale_and_shift(self, x1: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.subnet(x1, share).to(x1.dtype).chunk(2, 1)
        return log_scale, shift

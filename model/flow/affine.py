"""Conditional affine layer: mean and scale from the condition alone."""

import math

import torch
from torch import Tensor, nn

from model.flow.constants import AFFINE_LIMIT

__all__ = ["ConditionalAffine", "soft_clamp"]


def soft_clamp(x: Tensor, limit: float) -> Tensor:
    """Squash x smoothly into (−limit, limit): limit·(2/π)·atan(x/limit), of slope 2/π at 0.

    Source: Ardizzone et al. 2019 (arXiv 1907.02392), section 3.3.
    """
    return limit * (2 / math.pi) * torch.atan(x / limit)


class ConditionalAffine(nn.Module):
    """z = (x − mean(c))·exp(−log_scale(c)).

    It is a level's first and last layer, so that z = 0 alone is a good coloring.
    The condition is (B, 2C, …): mean and log-scale before its soft clamp, as a head computes them.
    """

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, …); condition: (B, 2C, …)."""
        mean, log_scale = self._mean_and_log_scale(condition, x.dtype)
        return (x - mean) * torch.exp(-log_scale), -log_scale.flatten(1).sum(1)

    def inverse(self, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z: (B, C, …); condition: (B, 2C, …)."""
        mean, log_scale = self._mean_and_log_scale(condition, z.dtype)
        return z * torch.exp(log_scale) + mean, log_scale.flatten(1).sum(1)

    def _mean_and_log_scale(self, condition: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        mean, raw = condition.to(dtype).chunk(2, 1)
        return mean, soft_clamp(raw, AFFINE_LIMIT)

"""The objective: exact negative log-likelihood of a level, under the noise that smooths photos' 8-bit colours.

Beside it stands a regression of the coloring of z = 0. Likelihood alone learns a photo's overall colour late, since it
weighs an error by 1/variance and overall colour varies most; without the regression, z = 0 stays nearly grey.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from model.flow.cinn import Cinn
from model.flow.haar import detail, pyramid
from training.dataset import Batch
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["NATS_PER_BIT", "LevelLoss", "level_data", "level_loss", "noisy_loss"]

NATS_PER_BIT = math.log(2)
REGRESSED = 2
"""One photo of so many is decoded from z = 0 too, which costs as much again as the likelihood."""


class LevelLoss(NamedTuple):
    """Losses of each photo."""

    nats: Tensor
    """(B,): negative log-likelihood in nats per dimension of the level"""
    regression: Tensor
    """mean squared error of what z = 0 decodes to, in what the first layer sees; of the batch's first photos alone"""


def level_data(cinn: Cinn, level: int, chroma: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return what a level maps to its latent, and the coarser a*b* that it is conditioned on.

    chroma: (B, 2, 64, 64) a*b*. Both results are in standardized a*b*.
    """
    sizes = pyramid((chroma - cinn.chroma_mean) / cinn.chroma_std, len(cinn.levels) - 1)
    return (detail(sizes[level]), sizes[level - 1]) if level else (sizes[0], None)


def level_loss(cinn: Cinn, level: int, batch: Batch, data: Tensor, coarser: Tensor | None) -> LevelLoss:
    """Losses of each photo's level data.

    data, coarser: of `level_data`. Source: Ardizzone et al. 2019 (arXiv 1907.02392), equation 7.
    """
    flow = cinn.levels[level]
    photo = flow.photo_condition(batch.features, batch.lightness)
    condition = flow.sample_condition(photo, coarser)
    z, log_det = flow(data, condition)
    nats = 0.5 * z.square().sum(1) + 0.5 * flow.dims * math.log(2 * math.pi) - log_det
    some = data[: -(-len(data) // REGRESSED)]
    zero, _ = flow.inverse(torch.zeros_like(z[: len(some)]), condition.of_first(len(some)))
    errors = (flow.standardize(zero) - flow.standardize(some)).square()
    return LevelLoss(nats / flow.dims, errors.flatten(1).mean(1))


def noisy_loss(
    cinn: Cinn,
    level: int,
    batch: Batch,
    noise: float,
    coarser_noise: float,
    generator: torch.Generator,
    share: Share = Share(),  # noqa: B008 - it is immutable
) -> LevelLoss:
    """Return the losses with Gaussian noise on the a*b*, and some more on the coarser a*b* that conditions a level.

    noise, coarser_noise: standard deviations in standardized a*b*. The second prepares a level for samples of the
    coarser levels, which are never quite like data. Subnets run in mixed precision, the flow's arithmetic in float32.
    share: which part of a joint batch this one is; it has the noise that it would have there.
    """

    def draw(like: Tensor) -> Tensor:
        joint = torch.randn((len(like) * share.of, *like.shape[1:]), generator=generator)
        return joint[share.rows].to(like.device)

    data, coarser = level_data(cinn, level, batch.chroma + noise * cinn.chroma_std * draw(batch.chroma))
    if coarser is not None:
        coarser = coarser + coarser_noise * draw(coarser)
    with mixed_precision(batch.chroma.device):
        return level_loss(cinn, level, batch, data, coarser)

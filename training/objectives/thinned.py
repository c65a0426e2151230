"""The objective of pruned finer levels: match the wide ones layer by layer, besides the likelihood.

Every layer that lost channels learns from the wide one's output, so this takes minutes; likelihood alone takes hours.
"""

import torch
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.coupling import AffineCoupling
from model.flow.detail_level import DetailLevel
from model.flow.haar import split
from training.dataset import Batch
from training.objectives.details import COARSER_NOISE, NOISE, REGRESSION, DetailsObjective, level_losses
from training.objectives.objective import Losses, draw_noise
from training.precision import mixed_precision
from training.processes import Share
from training.thinning import strongest_shares

__all__ = ["ThinnedObjective"]


class ThinnedObjective(DetailsObjective):
    """The losses of the finer levels, and squared differences of maps, heads and subnets to those of wide levels.

    Maps and heads count as shares of the wide ones' variance; subnets in standard deviations of what they scale. The
    couplings are given what the wide ones make of the details. The decoder is not trained.
    Source: Romero et al. 2015, FitNets (arXiv 1412.6550).
    """

    weight_decay = 0.0

    def __init__(self, cinn: Cinn, wide: Cinn) -> None:
        """wide: the network that was given to `thin`; it is not trained."""
        super().__init__(cinn)
        cinn.decoder.eval()
        self.module = nn.ModuleList(cinn.details)
        pairs = zip(cinn.details, wide.eval().requires_grad_(False).details, strict=True)
        self._pairs = [(level, other, strongest_shares(other, level.config.width)) for level, other in pairs]

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:
        losses = self._losses(batch, generator, share)
        return Losses(losses.detach(), losses.sum())

    @torch.no_grad()
    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._losses(batch, generator, Share()).expand(len(batch.chroma), -1)

    def _losses(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        """Return the loss of each level."""
        sizes = self._sizes(batch, NOISE * draw_noise(batch.chroma, generator, share))
        losses = []
        with mixed_precision(batch.chroma.device):
            with torch.no_grad():
                maps = self.cinn.decoder(batch.features, batch.lightness)
            for i, (level, wide, kept) in enumerate(self._pairs):
                coarser = sizes[i] + COARSER_NOISE * draw_noise(sizes[i], generator, share)
                losses.append(_loss(level, wide, kept, maps[i], coarser, split(sizes[i + 1])[1]))
        return torch.stack(losses)


def _loss(
    level: DetailLevel, wide: DetailLevel, kept: Tensor, photo: Tensor, coarser: Tensor, details: Tensor
) -> Tensor:
    """Return the loss of a level. kept: indices of the wide level's shares that it has."""
    h, recalled = level.hidden(photo, coarser)
    wide_h, wide_recalled = wide.hidden(photo, coarser)
    condition = level.condition_from(coarser, h, recalled)
    target = wide.condition_from(coarser, wide_h, wide_recalled)
    nats, errors = level_losses(level, condition, details)
    shares, wide_shares = (torch.cat(each.shares, 1) for each in (condition, target))
    pairs = (
        (h, wide_h),
        (shares, wide_shares[:, kept]),
        (condition.prediction, target.prediction),
        (condition.first, target.first),
        (condition.last, target.last),
    )
    loss = nats + REGRESSION * errors + torch.stack([_relative(*pair) for pair in pairs]).sum()
    x, _ = wide.affine((details - target.prediction) / wide.std, target.first)
    blocks = zip(level.couplings, wide.couplings, wide.mixings, condition.shares, target.shares, strict=True)
    for coupling, other, mixing, share, wide_share in blocks:
        loss = loss + _difference(coupling, other, x[:, : other.passed], share, wide_share)
        x, _ = mixing(other(x, wide_share)[0])
    return loss


def _relative(x: Tensor, target: Tensor) -> Tensor:
    target = target.float()
    return (x.float() - target).square().mean() / (target.var() + 1e-6)


def _difference(
    coupling: AffineCoupling, other: AffineCoupling, x1: Tensor, share: Tensor, wide_share: Tensor
) -> Tensor:
    """Return the squared differences of log-scale and shift, the latter beside the scale."""
    log_scale, shift = other.scale_and_shift(x1, wide_share)
    own_log_scale, own_shift = coupling.scale_and_shift(x1, share)
    shifted = (own_shift - shift) * torch.exp(-log_scale)
    return (own_log_scale - log_scale).square().mean() + shifted.square().mean()

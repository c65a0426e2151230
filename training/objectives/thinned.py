"""The objective of thinner finer levels: to compute what the wide ones do, layer by layer, beside their likelihood.

Every layer that lost channels has the wide one's output to learn from, so this takes minutes where likelihood alone
takes hours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.composition import run
from model.flow.coupling import AffineCoupling
from model.flow.detail_level import DetailLevel
from model.flow.haar import pyramid, split
from training.dataset import Batch
from training.objectives.details import COARSER_NOISE, NOISE, REGRESSION, level_losses
from training.objectives.objective import Losses, Objective, draw_noise
from training.precision import mixed_precision
from training.processes import Share
from training.thinning import strongest_shares

__all__ = ["ThinnedObjective"]


class ThinnedObjective(Objective[Batch]):
    """The losses of `DetailsObjective`, and squared differences of maps, heads and subnets to those of wide levels.

    Maps and heads count as shares of the wide ones' variance; subnets in standard deviations of what they scale. The
    couplings are given what the wide ones make of the details. Source: Romero et al. 2015, FitNets (arXiv 1412.6550).
    """

    weight_decay = 0.0

    def __init__(self, cinn: Cinn, wide: Cinn) -> None:
        """wide: what `thin` made the network of; it is not trained."""
        self._cinn, self._wide = cinn, wide.eval().requires_grad_(False)
        self.module = nn.ModuleList(cinn.details)
        self.names = tuple(f"{level.config.size}²" for level in cinn.details)
        self._shares = [
            strongest_shares(other, level.config.width) for level, other in zip(cinn.details, wide.details, strict=True)
        ]

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:  # noqa: B008
        losses = self._losses(batch, generator, share)
        return Losses(losses.detach(), losses.sum())

    @torch.no_grad()
    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._losses(batch, generator, Share()).expand(len(batch.chroma), -1)

    def _losses(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        """Return the loss of each level."""
        chroma = (batch.chroma - self._wide.chroma_mean) / self._wide.chroma_std
        noise = NOISE * draw_noise(chroma, generator, share)
        sizes = pyramid(chroma + noise, len(self._wide.details))
        losses = []
        with mixed_precision(chroma.device):
            with torch.no_grad():
                maps = self._wide.decoder(batch.features, batch.lightness)
            for i, (level, wide) in enumerate(zip(self._cinn.details, self._wide.details, strict=True)):
                coarser = sizes[i] + COARSER_NOISE * draw_noise(sizes[i], generator, share)
                seen = (maps[i], coarser, split(sizes[i + 1])[1])
                nats, errors = level_losses(level, *seen)
                losses.append(nats + REGRESSION * errors + _differences(level, wide, *seen, self._shares[i]))
        return torch.stack(losses)


def _differences(
    level: DetailLevel, wide: DetailLevel, photo: Tensor, coarser: Tensor, details: Tensor, kept: Tensor
) -> Tensor:
    with torch.no_grad():
        condition = wide.sample_condition(photo, coarser)
        target = wide.hidden(photo, coarser)[0]
        shares = torch.cat(condition.shares, 1)[:, kept]
    h, _ = level.hidden(photo, coarser)
    packed, packed_target = (F.pixel_unshuffle(each, 2) for each in (h, target))
    own_shares = level.shares(packed)
    pairs = [
        (h, target),
        (level.logits(h), wide.logits(target)),
        (level.ends(packed), wide.ends(packed_target)),
        (own_shares, shares),
    ]
    loss = torch.stack([_relative(*pair) for pair in pairs]).sum()
    x, _ = wide.affine((details - condition.prediction) / wide.std, condition.first)
    steps = zip(level.couplings, wide.couplings, wide.mixings, own_shares.chunk(len(level.couplings), 1), strict=True)
    for (coupling, other, mixing, share), wide_share in zip(steps, condition.shares, strict=True):
        with torch.no_grad():
            after, _ = run([(other, wide_share)], x)
        loss = loss + _difference(coupling, other, x, share, wide_share)
        x, _ = mixing(after)
    return loss


def _relative(x: Tensor, target: Tensor) -> Tensor:
    target = target.float()
    return (x.float() - target).square().mean() / (target.var() + 1e-6)


def _difference(
    coupling: AffineCoupling, other: AffineCoupling, x: Tensor, share: Tensor, wide_share: Tensor
) -> Tensor:
    """Return the squared differences of log-scale and shift, the latter beside the scale."""
    passed = x[:, : other.passed]
    with torch.no_grad():
        log_scale, shift = other.scale_and_shift(passed, wide_share)
    own_log_scale, own_shift = coupling.scale_and_shift(passed, share)
    shifted = (own_shift - shift) * torch.exp(-log_scale)
    return (own_log_scale - log_scale).square().mean() + shifted.square().mean()

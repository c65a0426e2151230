"""The teacher of the distilled decoder: draws of the coarsest level, guided by the prior, chosen by the reward model.

Guided mixtures follow the photo more than the level's own, and of several draws the most convincing is chosen. Both
cost too much for every photo in service, so a decoder learns to do as well in one draw. Once it does, it learns more
from the best of several draws of its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from model.flow.cells import CellStream
from model.flow.cinn import Cinn
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS

__all__ = ["DIVERSITY", "GUIDANCE", "TRIES", "choose_best", "densities_of", "draw_distilled", "draw_guided", "guided"]

DIVERSITY = 0.015
"""Reward, in standard deviations of ratings, for 1 ΔE of distance from the draws already chosen.

With it, chosen draws of a photo differ as much as unselected ones; the best alone are alike.
"""
TRIES = 8
"""Default number of draws from which the best is taken: to viewers, more are hardly better."""
GUIDANCE = 4.5
"""Factor of T·(1 − T) in guidance at temperature T < 1: none for heaviest components and the model's own draws.

Without guidance, cold draws are gray: colors of many photos lie close together near gray, so the heaviest component is
often there. The prior, which does not see the photo, has the same tendency, so components that it shares count less.
Viewers who compared two versions of a photo found the guided one real more often.
"""
GUIDANCE_LIMIT = 6.0
"""Maximum log-ratio of two densities in guidance: beyond it, a component is certain or dropped."""


def guided(mixture: Mixture, prior: Mixture, guidance: float) -> Mixture:
    """Return mixtures with more weight on components that they find likelier than the prior, which sees less.

    A component's weight is multiplied by (p(μ) / q(μ))^w: p is its own mixture's density, q the prior's, both at the
    component's mean μ, w the guidance. Means and scales stay.
    Source: Ho and Salimans 2022, Classifier-Free Diffusion Guidance (arXiv 2207.12598), on components.
    """
    means = mixture.means.unbind(-1)
    own, other = (torch.stack([each.log_prob(mean) for mean in means], -1) for each in (mixture, prior))
    gain = (own - other).clamp(-GUIDANCE_LIMIT, GUIDANCE_LIMIT)
    return mixture._replace(log_weights=F.log_softmax(mixture.log_weights + guidance * gain, -1))


@torch.no_grad()
def draw_guided(
    cinn: Cinn, photo: Tensor, temperature: float, generator: torch.Generator, given: Tensor | None = None
) -> Tensor:
    """Draw cells one by one from guided mixtures at a temperature below 1: (N, 64, 2) standardized, row by row.

    photo: (N, 64, width), from the coarsest level's `photo_condition`. given: (N, 2, 8, 8) level data of given cells,
    NaN elsewhere; these come first.
    """
    level = cinn.coarsest
    order, known = level.known_first(given, len(photo))
    temperatures = temperature ** level.exponents[level.order.argsort()[order]]
    guidance = GUIDANCE * temperature * max(1 - temperature, 0.0)
    streams = (CellStream(level, *level.told(photo, order)), cinn.prior.stream(order))
    x = photo.new_zeros(len(photo), CELLS, 2)
    for i in range(CELLS):
        own, prior = (Mixture.from_output(stream.next()) for stream in streams)
        noise = torch.randn(len(photo), 2, generator=generator).to(photo.device)
        drawn = guided(own, prior, guidance).draw(noise, temperatures[:, i]).to(photo.dtype)
        x[:, i] = torch.where(known[:, i].isfinite(), known[:, i].to(photo.dtype), drawn)
        for stream in streams:
            stream.tell(x[:, i : i + 1])
    return torch.zeros_like(x).scatter(1, order[..., None].expand(-1, -1, 2), x)


@torch.no_grad()
def draw_distilled(
    cinn: Cinn, photo: Tensor, temperature: float, generator: torch.Generator, given: Tensor | None = None
) -> Tensor:
    """Draw cells as the service does with the distilled decoder; see `draw_guided`."""
    level = cinn.coarsest
    z = torch.randn(len(photo), level.dims, generator=generator).to(photo)
    drawn = level.draw(z, photo, photo.new_full((len(photo),), temperature), cinn.distilled, given)
    return level.standardize(drawn).flatten(2).mT


def densities_of(cinn: Cinn, photo: Tensor, cells: Tensor, given: Tensor | None = None) -> Tensor:
    """Return each cell's nats by the level and by the prior, given earlier cells: (N, 64, 2), row by row.

    cells: (N, 64, 2), row by row. See `draw_guided` for the others.
    """
    order, _ = cinn.coarsest.known_first(given, len(cells))
    by_row = order[..., None].expand(-1, -1, 2)
    ordered = cells.gather(1, by_row)
    of_level = cinn.coarsest.mixtures(ordered, photo, order).log_prob(ordered)
    densities = torch.stack((of_level, cinn.prior.log_prob(ordered, order)), -1)
    return torch.zeros_like(densities).scatter(1, by_row, densities)


@torch.no_grad()
def choose_best(
    cinn: Cinn,
    photo: Tensor,
    cells: Tensor,
    tries: int,
    given: Tensor | None = None,
    keep: int = 1,
    costs: Tensor | None = None,
) -> Tensor:
    """Return the cells of each photo's best draws by the reward model: (N / tries · keep, 64, 2).

    The first has the highest reward. Each further one has the highest sum of its reward and DIVERSITY times its mean
    distance from those already chosen: the color difference, averaged over cells.
    Source: Carbonell and Goldstein 1998, The Use of MMR, Diversity-Based Reranking.

    photo: (N, 64, width); cells: (N, 64, 2), row by row: all draws of a photo, one after another. keep: at most tries.
    costs: (N,), subtracted from the rewards.
    """
    rewards = cinn.reward(photo, cells, densities_of(cinn, photo, cells, given))
    rewards = (rewards if costs is None else rewards - costs).view(-1, tries)
    draws = cells.view(-1, tries, *cells.shape[1:])
    chroma = draws * (cinn.coarsest.std * cinn.chroma_std).flatten()
    chosen, apart = rewards.argmax(1, keepdim=True), torch.zeros_like(rewards)
    for count in range(1, keep):
        apart += (chroma - _pick(chroma, chosen[:, -1:])).norm(dim=-1).mean(-1)
        score = (rewards + DIVERSITY * apart / count).scatter(1, chosen, -torch.inf)
        chosen = torch.cat((chosen, score.argmax(1, keepdim=True)), 1)
    return _pick(draws, chosen).flatten(0, 1)


def _pick(draws: Tensor, chosen: Tensor) -> Tensor:
    """Return some of each photo's draws, (B, K, 64, 2). draws: (B, tries, 64, 2); chosen: (B, K)."""
    return draws.gather(1, chosen[..., None, None].expand(-1, -1, *draws.shape[2:]))

"""An objective of the distilled decoder: draws that look like the photo's true colors, and convince people.

A good coloring may be far from the true one, so one distance says little; but over many photos, the truth should lie
among the draws like another draw. An energy score measures this: the distance from the truth, minus a share of the
distance between two draws. Distances are between features of the colored picture, which predict what viewers find real
better than a*b* do; the reward model knows other faults. Strong colors are not rewarded, and the decoder is kept close
to its start.

The gradient flows back, at fixed latents, through all cells of a draw into the decoder, although drawing itself has no
gradients: a decoder that sees all of a draw's cells at once gives each cell's dependence on those before it, and a few
products with that matrix lead the gradient from each cell back to all earlier ones.
Source: Gneiting and Raftery 2007, Strictly Proper Scoring Rules, Prediction, and Estimation; Figurnov et al. 2018,
Implicit Reparameterization Gradients (arXiv 1805.08498); Bai et al. 2019, Deep Equilibrium Models (arXiv 1909.01377),
for the adjoint; Clark et al. 2023, Directly Fine-Tuning Diffusion Models on Differentiable Rewards (arXiv 2309.17400);
Roeder et al. 2017, Sticking the Landing (arXiv 1703.09194), for the divergence's gradient.
"""

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.flow.cell_order import DISTILLED_TEMPERATURE
from model.flow.cinn import Cinn
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS
from training.dataset import Batch
from training.draws import choose_hints, given_cells
from training.objectives.objective import Losses, Objective, draw_noise
from training.objectives.reward import NOISE
from training.perception import Perception
from training.precision import mixed_precision
from training.processes import Share
from training.teacher import DIVERSITY, densities_of

__all__ = ["ScoredObjective", "energy_score"]

LOOKS = 0.0046
"""Weight of a distance of 1 between features; the truth is about 250 away from a draw."""
APART = 0.25
"""Share of the distance between two draws. At 0.5, the score would be proper, and draws as uncertain as the truth."""
COLORFULNESS = 0.04
"""Weight of the energy score of a draw's mean chroma."""
SATURATION = 1.2
"""Factor by which true colors are strengthened for both scores: viewers do not believe pale colorings."""
REWARD = 0.5
"""Weight of a reward of 1, and of DIVERSITY times the distance of two draws."""
DIVERGENCE = 0.005
"""Cost of 1 nat of divergence from the initial decoder."""
DRAWS = 2
"""Draws of each photo."""
REACH = 5
"""Number of products that lead the gradient back to earlier cells: 63 would be exact; these give a cosine of 0.99."""


class _Draws(NamedTuple):
    """Draws of B photos, one after another: N = B·DRAWS."""

    photo: Tensor
    """(N, 64, width)"""
    given: Tensor
    """(N, 2, 8, 8) level data of given cells, NaN elsewhere"""
    order: Tensor
    """(N, 64)"""
    free: Tensor
    """(N, 64, 1): whether a cell was drawn, in order"""
    cells: Tensor
    """(N, 64, 2) standardized, in order"""
    jitter: Tensor
    """(N, 64, 2): noise for the reward model, row by row"""


class ScoredObjective(Objective[Batch]):
    """Energy scores of the look and the colorfulness of a photo's draws, minus their reward.

    Draws are made as in the service, at the temperature to which the decoder was distilled.
    """

    names = ("scored",)
    weight_decay = 0.01

    def __init__(self, cinn: Cinn, perception: Perception) -> None:
        """cinn: its distilled decoder is trained, and kept close to its present state."""
        self._cinn = cinn.eval().requires_grad_(False)
        self._perception = perception.to(cinn.chroma_mean.device)
        self._before = copy.deepcopy(cinn.distilled)
        self.module = self._decoder = cinn.distilled.requires_grad_(True)

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:
        draws = self._draw(batch, generator, share)
        seen, cells = (draws.cells.clone().requires_grad_() for _ in range(2))
        told = self._told(draws)
        mixtures = self._mixtures(told, seen)
        attached = torch.where(draws.free, mixtures.attached(draws.cells), draws.cells)
        loss = self._losses(batch, draws, cells).mean()
        divergence = self._divergences(draws, told, cells, Mixture(*(part.detach() for part in mixtures))).mean()
        (own,) = torch.autograd.grad(loss, cells)
        gradient = own
        for _ in range(REACH):
            (of_later,) = torch.autograd.grad(attached, seen, gradient, retain_graph=True)
            gradient = own + of_later
        # each cell is held to its initial mixture given the cells before it, which get no gradient from this
        (held,) = torch.autograd.grad(divergence, cells)
        return Losses((loss + divergence).detach()[None], (attached * (gradient + held)).sum())

    @torch.no_grad()
    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        draws = self._draw(batch, generator, Share())
        told = self._told(draws)
        divergences = self._divergences(draws, told, draws.cells, self._mixtures(told, draws.cells))
        return (self._losses(batch, draws, draws.cells) + divergences)[:, None]

    @torch.no_grad()
    def _draw(self, batch: Batch, generator: torch.Generator, share: Share) -> _Draws:
        level, rows = self._cinn.coarsest, len(batch.lightness) * DRAWS
        noise = draw_noise(batch.lightness.new_zeros(rows // DRAWS, DRAWS, 2, CELLS, 2), generator, share)
        latents, jitter = noise.flatten(0, 1).unbind(1)
        photo = level.photo_condition(batch.features, batch.lightness).repeat_interleave(DRAWS, 0)
        given = self._given(batch, generator, share).repeat_interleave(DRAWS, 0)
        temperature = photo.new_full((rows,), DISTILLED_TEMPERATURE)
        drawn = level.draw(latents.flatten(1), photo, temperature, self._decoder, given)
        order, known = level.known_first(given, rows)
        cells, _ = level.in_order(drawn, order)
        return _Draws(photo, given, order, known.isnan().any(-1, keepdim=True), cells, jitter)

    @torch.no_grad()
    def _told(self, draws: _Draws) -> tuple[Tensor, Tensor]:
        """Return the photo's condition of a draw's cells; see `AutoregressiveLevel.told`."""
        with mixed_precision(draws.photo.device):
            return self._cinn.coarsest.told(draws.photo, draws.order)

    def _mixtures(self, told: tuple[Tensor, Tensor], cells: Tensor) -> Mixture:
        """Return the mixtures of a draw's cells, each given the cells before it."""
        with mixed_precision(cells.device):
            return self._decoder.decode(cells, *told)

    def _divergences(self, draws: _Draws, told: tuple[Tensor, Tensor], cells: Tensor, mixtures: Mixture) -> Tensor:
        """Return each photo's cost of divergence from the initial decoder, (B,), from cells and their mixtures."""
        with torch.no_grad(), mixed_precision(cells.device):
            before = self._before.decode(draws.cells, *told)
        nats = ((mixtures.log_prob(cells) - before.log_prob(cells)) * draws.free[..., 0]).sum(1)
        return DIVERGENCE * nats.view(-1, DRAWS).mean(1)

    def _losses(self, batch: Batch, draws: _Draws, cells: Tensor) -> Tensor:
        """Return each photo's loss without the divergence, (B,), from its draws' cells."""
        cinn, level = self._cinn, self._cinn.coarsest
        drawn = level.from_order(cells, draws.order)
        chroma = drawn * cinn.chroma_std + cinn.chroma_mean
        rows = level.standardize(drawn).flatten(2).mT
        with mixed_precision(cells.device):
            densities = densities_of(cinn, draws.photo, rows, draws.given).float()
        reward = cinn.reward(draws.photo, rows + NOISE * draws.jitter, densities)
        pairs = chroma.view(-1, DRAWS, 2, CELLS)
        distance = _length(pairs[:, 0] - pairs[:, 1]).mean(1)
        return self._scores(batch, chroma) - REWARD * (reward.view(-1, DRAWS).mean(1) + DIVERSITY * distance)

    def _scores(self, batch: Batch, drawn: Tensor) -> Tensor:
        """Return the weighted sum of both energy scores, (B,). drawn: a*b*, (B·DRAWS, 2, 8, 8)."""
        true = SATURATION * (self._cinn.pyramid(batch.chroma)[0] * self._cinn.chroma_std + self._cinn.chroma_mean)
        looks = self._perception(batch.lightness.repeat_interleave(DRAWS, 0), drawn)
        strength, true_strength = (_length(each.flatten(2)).mean(1, keepdim=True) for each in (drawn, true))
        with torch.no_grad():
            true_looks = self._perception(batch.lightness, true)
        return LOOKS * energy_score(looks, true_looks, APART) + COLORFULNESS * energy_score(strength, true_strength)

    def _given(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        """Return level data of cells given as by hints, (B, 2, 8, 8), NaN elsewhere."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        hinted = torch.from_numpy(choose_hints(len(batch.chroma) * share.of, rng)[share.rows]).to(batch.chroma.device)
        return given_cells(self._cinn.pyramid(batch.chroma)[0], hinted)


def energy_score(drawn: Tensor, true: Tensor, apart: float = 0.5) -> Tensor:
    """Return the mean distance of two draws from the truth, minus a share of the distance between them: (B,).

    drawn: (2B, D), two of each photo, one after another. true: (B, D).
    """
    one, other = drawn.view(-1, DRAWS, drawn.shape[1]).unbind(1)
    return (_norm(one - true) + _norm(other - true)) / 2 - apart * _norm(one - other)


def _norm(vectors: Tensor) -> Tensor:
    """Return the length of (…, D), with a gradient at 0, too."""
    return (vectors.square().sum(-1) + 1e-2).sqrt()


def _length(chroma: Tensor) -> Tensor:
    """Return the length of (N, 2, cells) in each cell, (N, cells)."""
    return _norm(chroma.mT)

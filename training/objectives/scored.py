"""The distilled decoder's last objective: draws that look like the photo's true colors, and convince people.

Colorings may be good and far from the true one, so how far one lies from it says little; but over many photos, draws
should lie about the truth as other draws do. That is an energy score: the distance from the truth, less a share of that
between two draws. Distances are those of features of the colored picture, which tell more of what viewers find real
than those of a*b* do; the reward model knows other faults. The gradient flows back, at fixed latents, through all cells
of a draw into the decoder. Strong colors do not pay, and the decoder may not go far from what it was.
Source: Gneiting and Raftery 2007, Strictly Proper Scoring Rules, Prediction, and Estimation; Figurnov et al. 2018,
Implicit Reparameterization Gradients (arXiv 1805.08498); Clark et al. 2023, Directly Fine-Tuning Diffusion Models on
Differentiable Rewards (arXiv 2309.17400); Roeder et al. 2017, Sticking the Landing (arXiv 1703.09194), for the
divergence's gradient.
"""

import copy

import numpy as np
import torch
from torch import Tensor

from model.flow.cells import CellStream
from model.flow.cinn import Cinn
from model.flow.haar import pyramid
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS, SIDE
from training.dataset import Batch
from training.draws import choose_hints
from training.objectives.objective import Losses, Objective, draw_noise
from training.objectives.reward import NOISE
from training.perception import Perception
from training.processes import Share
from training.teacher import DIVERSITY, densities_of

__all__ = ["ScoredObjective", "energy_score"]

LOOKS = 0.0046
"""What a distance of 1 between features counts; the truth is some 250 away from a draw."""
APART = 0.25
"""Share of the distance between two draws. At 0.5, the score would be proper, and draws as unsure as the truth is."""
COLORFULNESS = 0.04
"""What the energy score of a draw's mean chroma counts."""
SATURATION = 1.2
"""How many times the true colors are strengthened for both scores: viewers do not believe pale colorings."""
REWARD = 0.5
"""What a reward of 1, and DIVERSITY times the distance of two draws, count."""
NEARNESS = 0.005
"""What 1 nat of divergence from the decoder as it was costs."""
DRAWS = 2
"""Draws of each photo."""


class ScoredObjective(Objective[Batch]):
    """Energy scores of how a photo's draws look and of how colorful they are, less what the reward model finds.

    Draws are those of the service at the temperature to which the decoder was distilled.
    """

    names = ("scored",)
    weight_decay = 0.01

    def __init__(self, cinn: Cinn, perception: Perception) -> None:
        """cinn: its distilled decoder is trained, and may not go far from what it is now."""
        self._cinn = cinn.eval().requires_grad_(False)
        self._perception = perception.to(cinn.chroma_mean.device)
        self._before, self._now = (copy.deepcopy(cinn.distilled) for _ in range(2))
        self.module = self._decoder = cinn.distilled.requires_grad_(True)

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:  # noqa: B008
        loss = self._losses(batch, generator, share).mean()
        return Losses(loss.detach()[None], loss)

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._losses(batch, generator, Share())[:, None]

    def _losses(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        """Return the loss of each photo, (B,)."""
        cinn, level = self._cinn, self._cinn.coarsest
        noise = draw_noise(batch.lightness.new_zeros(len(batch.lightness), DRAWS, 2, CELLS, 2), generator, share)
        latents, jitter = noise.flatten(0, 1).unbind(1)
        photo = level.photo_condition(batch.features, batch.lightness).repeat_interleave(DRAWS, 0)
        given = self._given(batch, generator, share).repeat_interleave(DRAWS, 0)
        order, known = level.known_first(given, len(photo))
        told = level.told(photo, order)
        cells = self._draw(told, known, latents)
        drawn = level.from_order(cells, order)

        chroma = drawn * cinn.chroma_std + cinn.chroma_mean
        rows = level.standardize(drawn).flatten(2).mT
        reward = cinn.reward(photo, rows + NOISE * jitter, densities_of(cinn, photo, rows, given))
        pairs = chroma.view(-1, DRAWS, 2, CELLS)
        distance = _length(pairs[:, 0] - pairs[:, 1]).mean(1)
        self._now.load_state_dict(self._decoder.state_dict())  # whose own gradient would be noise around 0
        now, before = (each.decode(cells, *told).log_prob(cells) for each in (self._now, self._before))
        divergence = ((now - before) * known.isnan().any(-1)).sum(1)
        costs = NEARNESS * divergence - REWARD * reward
        return self._scores(batch, chroma) + costs.view(-1, DRAWS).mean(1) - REWARD * DIVERSITY * distance

    def _scores(self, batch: Batch, drawn: Tensor) -> Tensor:
        """Return the weighted sum of both energy scores, (B,). drawn: a*b*, (B·DRAWS, 2, 8, 8)."""
        true = SATURATION * (self._true(batch) * self._cinn.chroma_std + self._cinn.chroma_mean)
        looks = self._perception(batch.lightness.repeat_interleave(DRAWS, 0), drawn)
        strength, true_strength = (_length(each.flatten(2)).mean(1, keepdim=True) for each in (drawn, true))
        with torch.no_grad():
            true_looks = self._perception(batch.lightness, true)
        return LOOKS * energy_score(looks, true_looks, APART) + COLORFULNESS * energy_score(strength, true_strength)

    def _draw(self, told: tuple[Tensor, Tensor], known: Tensor, latents: Tensor) -> Tensor:
        """Draw cells one after another, with gradients: (N, 64, 2) standardized, in the order of what is known."""
        stream, temperature = CellStream(self._decoder, *told), torch.ones(len(known), device=known.device)
        cells = list[Tensor]()
        for seen, z in zip(known.unbind(1), latents.unbind(1), strict=True):
            mixture = Mixture.from_output(stream.next())
            with torch.no_grad():
                drawn = mixture.draw(z, temperature).to(z)
            cells.append(torch.where(seen.isfinite(), seen, mixture.attached(drawn)))
            stream.tell(cells[-1][:, None])
        return torch.stack(cells, 1)

    def _true(self, batch: Batch) -> Tensor:
        """Return the photo's own level data, (B, 2, 8, 8)."""
        cinn = self._cinn
        return pyramid((batch.chroma - cinn.chroma_mean) / cinn.chroma_std, len(cinn.details))[0]

    def _given(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        """Return level data of the cells that are given, as hints are: (B, 2, 8, 8), NaN elsewhere."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        hinted = torch.from_numpy(choose_hints(len(batch.chroma) * share.of, rng)[share.rows]).to(batch.chroma.device)
        return self._true(batch).masked_fill(~hinted.view(-1, 1, SIDE, SIDE), torch.nan)


def energy_score(drawn: Tensor, true: Tensor, apart: float = 0.5) -> Tensor:
    """Return the mean distance of two draws from the truth, less a share of that between them: (B,).

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

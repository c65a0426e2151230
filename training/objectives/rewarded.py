"""The distilled decoder's last objective: draws that people find convincing.

The reward model says how convincing a draw is. Its gradient flows back, at fixed latents, through all cells of the draw
into the decoder. That needs no choice among many draws, and reaches what no choice among them does; but the reward is
to be believed only near the draws that people rated. So the decoder may not go far from what it was, and neither
strong colors nor draws that are alike pay.
Source: Clark et al. 2023, Directly Fine-Tuning Diffusion Models on Differentiable Rewards (arXiv 2309.17400); Roeder et
al. 2017, Sticking the Landing (arXiv 1703.09194), for the divergence's gradient.
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
from training.processes import Share
from training.teacher import DIVERSITY, densities_of

__all__ = ["RewardedObjective"]

COLORFULNESS = 0.01
"""Reward that 1 of chroma, averaged over cells, costs: enough to leave draws as colorful as they were."""
NEARNESS = 0.05
"""Reward that 1 nat of divergence from the decoder as it was costs. The best of 8 draws is 1.2 nats away."""
DRAWS = 2
"""Draws of each photo."""


class RewardedObjective(Objective[Batch]):
    """Reward of a photo's draws and DIVERSITY times their distance, less what colorfulness and divergence cost.

    Draws are those of the service at the temperature to which the decoder was distilled. What is minimized is the
    negative, in standard deviations of ratings.
    """

    names = ("rewarded",)
    weight_decay = 0.01

    def __init__(self, cinn: Cinn) -> None:
        """cinn: its distilled decoder is trained, and may not go far from what it is now."""
        self._cinn = cinn.eval().requires_grad_(False)
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

        rows = level.standardize(level.from_order(cells, order)).flatten(2).mT
        reward = cinn.reward(photo, rows + NOISE * jitter, densities_of(cinn, photo, rows, given))
        chroma = (level.from_order(cells, order) * cinn.chroma_std + cinn.chroma_mean).flatten(2).mT
        pairs = chroma.view(-1, DRAWS, CELLS, 2)
        distance = _length(pairs[:, 0] - pairs[:, 1]).mean(1)
        self._now.load_state_dict(self._decoder.state_dict())  # whose own gradient would be noise around 0
        now, before = (each.decode(cells, *told).log_prob(cells) for each in (self._now, self._before))
        divergence = ((now - before) * known.isnan().any(-1)).sum(1)
        cost = COLORFULNESS * _length(chroma).mean(1) + NEARNESS * divergence - reward
        return cost.view(-1, DRAWS).mean(1) - DIVERSITY * distance

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

    def _given(self, batch: Batch, generator: torch.Generator, share: Share) -> Tensor:
        """Return level data of the cells that are given, as hints are: (B, 2, 8, 8), NaN elsewhere."""
        cinn, rows = self._cinn, len(batch.chroma) * share.of
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        hinted = torch.from_numpy(choose_hints(rows, rng)[share.rows]).to(batch.chroma.device)
        true = pyramid((batch.chroma - cinn.chroma_mean) / cinn.chroma_std, len(cinn.details))[0]
        return true.masked_fill(~hinted.view(-1, 1, SIDE, SIDE), torch.nan)


def _length(vectors: Tensor) -> Tensor:
    """Return the length of (…, 2), with a gradient at 0, too."""
    return (vectors.square().sum(-1) + 1e-2).sqrt()

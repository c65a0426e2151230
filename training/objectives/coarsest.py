"""The objective of the coarsest level, and of the prior: exact likelihood of the cells, in several orders."""

import numpy as np
import torch
from torch import Tensor, nn

from model.flow.cells import CellDecoder
from model.flow.cinn import Cinn
from model.flow.sizes import CELLS
from training.dataset import Batch
from training.draws import MOST_HINTS
from training.objectives.objective import NATS_PER_BIT, Losses, Objective, draw_noise, matrices_of
from training.precision import mixed_precision
from training.processes import Share

__all__ = ["CoarsestObjective", "PriorObjective"]

NOISE = 0.02
"""Standard deviation of the noise on a*b* at 8×8, in standardized a*b* at 64×64."""
HINTED = 0.3
"""Share of the photos whose order begins with random cells, as with hints."""


class CoarsestObjective(Objective[Batch]):
    """Negative log-likelihood of a*b* at 8×8, in bits per dimension."""

    names = ("8²",)
    weight_decay = 0.1

    def __init__(self, cinn: Cinn) -> None:
        self.cinn = cinn
        self.decoder: CellDecoder = cinn.coarsest
        self.module = self.decoder

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:
        data = self.cinn.pyramid(batch.chroma)[0]
        data = data + NOISE * draw_noise(data, generator, share)
        orders = self._draw_orders(len(data) * share.of, generator)[share.rows].to(data.device)
        bits = self._bits(batch, data, orders).mean()
        return Losses(bits.detach()[None], bits)

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._bits(batch, self.cinn.pyramid(batch.chroma)[0], None)[:, None]

    def matrices(self) -> list[nn.Parameter]:
        """Return the linear layers' weights, except those of mixtures."""
        return [weight for weight in matrices_of(self.decoder) if weight is not self.decoder.output.weight]

    def _bits(self, batch: Batch, data: Tensor, orders: Tensor | None) -> Tensor:
        level = self.cinn.coarsest
        with mixed_precision(data.device):
            log_prob = self._log_prob(batch, data, orders).sum(1)
        return (level.std.log().sum() / 2 - log_prob / level.dims) / NATS_PER_BIT

    def _log_prob(self, batch: Batch, data: Tensor, orders: Tensor | None) -> Tensor:
        """Return the log-density of each cell, standardized: (B, 64)."""
        level = self.cinn.coarsest
        return level.log_prob(data, level.photo_condition(batch.features, batch.lightness), orders)

    def _draw_orders(self, rows: int, generator: torch.Generator) -> Tensor:
        """Return an order of the cells for each photo, (rows, 64): dispersed dots, some after random cells."""
        seed = int(torch.randint(2**31, (), generator=generator))
        rng = np.random.default_rng(seed)
        order = self.cinn.coarsest.order.cpu()
        orders = order.repeat(rows, 1)
        for row in range(rows):
            if rng.random() < HINTED:
                first = torch.from_numpy(rng.permutation(CELLS)[: rng.integers(1, MOST_HINTS + 1)])
                orders[row] = torch.cat((first, order[~torch.isin(order, first)]))
        return orders


class PriorObjective(CoarsestObjective):
    """The same without the photo: the prior's objective."""

    names = ("prior",)

    def __init__(self, cinn: Cinn) -> None:
        super().__init__(cinn)
        self.module = self.decoder = cinn.prior

    def _log_prob(self, batch: Batch, data: Tensor, orders: Tensor | None) -> Tensor:
        return self.cinn.prior.log_prob(*self.cinn.coarsest.in_order(data, orders))

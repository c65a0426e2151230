"""The prior's objective: exact likelihood of the coarsest level's cells, whatever the photo."""

from torch import Tensor

from model.flow.cinn import Cinn
from training.dataset import Batch
from training.objectives.coarsest import CoarsestObjective

__all__ = ["PriorObjective"]


class PriorObjective(CoarsestObjective):
    """Negative log-likelihood of a*b* at 8×8, in bits per dimension; noise and orders are the coarsest level's."""

    names = ("prior",)

    def __init__(self, cinn: Cinn) -> None:
        super().__init__(cinn)
        self.module = self.decoder = cinn.prior

    def _log_prob(self, batch: Batch, data: Tensor, orders: Tensor | None) -> Tensor:
        return self.cinn.prior.log_prob(*self.cinn.coarsest.in_order(data, orders))

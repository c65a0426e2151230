"""The prior's objective: exact likelihood of the coarsest level's cells, whatever the photo."""

from torch import Tensor, nn

from model.flow.cinn import Cinn
from training.dataset import Batch
from training.objectives.coarsest import NATS_PER_BIT, CoarsestObjective
from training.objectives.objective import matrices_of
from training.precision import mixed_precision

__all__ = ["PriorObjective"]


class PriorObjective(CoarsestObjective):
    """Negative log-likelihood of a*b* at 8×8, in bits per dimension; noise and orders are the coarsest level's."""

    names = ("prior",)

    def __init__(self, cinn: Cinn) -> None:
        super().__init__(cinn)
        self.module = cinn.prior

    def matrices(self) -> list[nn.Parameter]:
        """Return the linear layers' weights, but for the mixtures'."""
        return [weight for weight in matrices_of(self.cinn.prior) if weight is not self.cinn.prior.output.weight]

    def _bits(self, batch: Batch, data: Tensor, orders: Tensor | None) -> Tensor:
        level = self.cinn.coarsest
        with mixed_precision(data.device):
            log_prob = self.cinn.prior.log_prob(*level.in_order(data, orders)).sum(1)
        return (level.std.log().sum() / 2 - log_prob / level.dims) / NATS_PER_BIT

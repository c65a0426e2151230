"""The network in torch, as it is defined."""

from collections.abc import Sequence

from torch import Tensor

from model.drawing.runtimes.runtime import Condition
from model.flow.cinn import Cinn, LogProb, Samples

__all__ = ["TorchRuntime"]


class TorchRuntime:
    """Runs the network where its weights are; see `Runtime`."""

    def __init__(self, cinn: Cinn) -> None:
        self.cinn = cinn

    def prepare(self, photos: int, draws: int, samples: int) -> None:
        """See `Runtime.prepare`: all is there."""

    def condition(self, lightness: Tensor) -> Condition:
        """See `Runtime.condition`."""
        cells, *maps = self.cinn.condition(lightness)
        return Condition((cells,), tuple(maps))

    def draw_coarsest(
        self, condition: Condition, photo: Tensor, z: Tensor, temperature: Tensor, given: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `Runtime.draw_coarsest`."""
        return self.cinn.draw_coarsest(condition.cells[0][photo], z, temperature, given)

    def draws_alike(self, rows: int, more: int) -> bool:
        """See `Runtime.draws_alike`: torch takes other kernels."""
        return False

    def see(self, rgb: Tensor) -> Tensor:
        """See `Runtime.see`."""
        return self.cinn.network.see(rgb)

    def add_details(self, condition: Condition, photo: Tensor, coarsest: Tensor, latents: Sequence[Tensor]) -> Samples:
        """See `Runtime.add_details`."""
        return self.cinn.add_details(_levels(condition, photo), coarsest, latents)

    def encode(self, condition: Condition, photo: Tensor, chroma: Tensor) -> LogProb:
        """See `Runtime.encode`."""
        return self.cinn.log_prob(chroma, _levels(condition, photo))


def _levels(condition: Condition, photo: Tensor) -> list[Tensor]:
    return [level[photo] for level in (condition.cells[0], *condition.maps)]

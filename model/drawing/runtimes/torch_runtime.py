"""The network in torch, as it is defined."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.drawing.runtimes.numbers import Numbers
from model.drawing.runtimes.runtime import Condition, Encoded, Floats, Indices, Samples
from model.flow.arrays import CinnArrays
from model.flow.cinn import Cinn

__all__ = ["TorchRuntime"]


class TorchRuntime:
    """Runs the network on a device; see `Runtime`. Conditions stay there, all else comes and goes as numpy arrays."""

    def __init__(self, cinn: Cinn, device: str = "cpu") -> None:
        if device == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # likelihoods are of float32; convolutions would keep 10 of 23 bits
        # the same numbers in another order, which convolutions are faster in: see python -m benchmarks.speed.sampling
        self.cinn = cinn.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # torch forgets it
        self.numbers = Numbers.of(CinnArrays.of(cinn))
        self._device = device

    def prepare(self, photos: int, draws: int, samples: int) -> None:
        """See `Runtime.prepare`: all is there."""

    def prepare_rest(self, draws: int, most_draws: int, samples: int) -> Iterator[None]:
        """See `Runtime.prepare_rest`: all is there."""
        return iter(())

    def begin_thread(self) -> None:
        """See `Runtime.begin_thread`: several threads of one operation would wait for each other, spinning."""
        torch.set_num_threads(1)

    def wait(self) -> None:
        """See `Runtime.wait`."""
        if self._device == "cuda":
            torch.cuda.synchronize()

    def free_memory(self) -> None:
        """See `Runtime.free_memory`."""
        if self._device == "cuda":
            torch.cuda.empty_cache()

    @torch.no_grad()
    def condition(self, lightness: Floats) -> Condition:
        """See `Runtime.condition`."""
        cells, *maps = self.cinn.condition(self._tensor(lightness))
        return Condition((cells,), tuple(maps))

    def join(self, conditions: Sequence[Condition]) -> Condition:
        """See `Runtime.join`."""
        return Condition.join(conditions, partial(torch.cat, dim=0))

    @torch.no_grad()
    def draw_coarsest(
        self, condition: Condition, photo: Indices, z: Floats, temperature: Floats, given: Floats
    ) -> Floats:
        """See `Runtime.draw_coarsest`."""
        rows, *numbers = (self._tensor(each) for each in (photo, z, temperature, given))
        return _array(self.cinn.draw_coarsest(condition.cells[0][rows], *numbers))

    def draws_alike(self, rows: int, more: int) -> bool:
        """See `Runtime.draws_alike`: torch takes other kernels."""
        return False

    @torch.no_grad()
    def add_details(self, condition: Condition, photo: Indices, coarsest: Floats, latents: Sequence[Floats]) -> Samples:
        """See `Runtime.add_details`."""
        noise = [self._tensor(z) for z in latents]
        samples = self.cinn.add_details(self._levels(condition, photo), self._tensor(coarsest), noise)
        log_prob = samples.log_prob.double().cpu().numpy()
        return Samples(_array(samples.chroma), log_prob, _array(samples.coarsest_latents))

    @torch.no_grad()
    def encode(self, condition: Condition, photo: Indices, chroma: Floats) -> Encoded:
        """See `Runtime.encode`."""
        encoded = self.cinn.log_prob(self._tensor(chroma), self._levels(condition, photo))
        return Encoded(encoded.log_prob.double().cpu().numpy(), [_array(z) for z in encoded.latents])

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self._device)

    def _levels(self, condition: Condition, photo: Indices) -> list[Tensor]:
        rows = self._tensor(photo)
        return [level[rows] for level in (condition.cells[0], *condition.maps)]


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.float().cpu().numpy(), np.float32)

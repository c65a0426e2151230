"""The torch runtime: the network's own definition."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.drawing.runtimes.numbers import Numbers
from model.drawing.runtimes.runtime import Condition, Encoded, Floats, Given, Indices, Runtime, Samples
from model.flow.arrays import CinnArrays
from model.flow.cinn import Cinn

__all__ = ["TorchRuntime"]


class TorchRuntime(Runtime):
    """Runs the network on a device; see `Runtime`. Conditions stay on it; all else is passed as numpy arrays."""

    concatenate = staticmethod(torch.cat)

    def __init__(self, cinn: Cinn, device: str = "cpu") -> None:
        if device == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # likelihoods need float32; TF32 keeps 10 of 23 bits
        # another memory layout, in which convolutions are faster: see python -m benchmarks.speed.sampling
        self.cinn = cinn.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # torch forgets it
        self.numbers = Numbers.of(CinnArrays.of(cinn))
        self._device = device

    def begin_thread(self) -> None:
        torch.set_num_threads(1)  # several threads of one operation would spin while they wait for each other

    def wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()

    def free_memory(self) -> None:
        if self._device == "cuda":
            torch.cuda.empty_cache()

    @torch.no_grad()
    def condition(self, lightness: Floats) -> Condition:
        cells, *maps = self.cinn.condition(self._tensor(lightness))
        return Condition((cells,), tuple(maps))

    @torch.no_grad()
    def draw_coarsest(
        self, condition: Condition, photo: Indices, z: Floats, temperature: Floats, given: Given
    ) -> Floats:
        rows, *numbers = (self._tensor(each) for each in (photo, z, temperature, *given))
        return _array(self.cinn.draw_coarsest(condition.cells[0][rows], *numbers))

    @torch.no_grad()
    def add_details(self, condition: Condition, photo: Indices, coarsest: Floats, latents: Sequence[Floats]) -> Samples:
        noise = [self._tensor(z) for z in latents]
        samples = self.cinn.add_details(self._levels(condition, photo), self._tensor(coarsest), noise)
        log_prob = samples.log_prob.double().cpu().numpy()
        return Samples(_array(samples.chroma), log_prob, _array(samples.coarsest_latents))

    @torch.no_grad()
    def encode(self, condition: Condition, photo: Indices, chroma: Floats) -> Encoded:
        encoded = self.cinn.log_prob(self._tensor(chroma), self._levels(condition, photo))
        return Encoded(encoded.log_prob.double().cpu().numpy(), [_array(z) for z in encoded.latents])

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self._device)

    def _levels(self, condition: Condition, photo: Indices) -> list[Tensor]:
        rows = self._tensor(photo)
        return [level[rows] for level in (condition.cells[0], *condition.maps)]


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.float().cpu().numpy(), np.float32)

"""A network of couplings as `benchmarks.quality` measures it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.quality.methods import DEFAULT_SAMPLES, Bits, Colors
from model.drawing.latents import draw_latents
from model.errors import NonFiniteError
from model.pixels.color import photo_to_lightness
from model.pixels.resizing import photo_to_chroma, resize_lightness
from research.couplings.cinn import CouplingCinn
from research.couplings.objective import Noise

__all__ = ["CouplingMethod"]


class CouplingMethod:
    """A network of couplings, whose default temperature is 1, the same at every level."""

    name = "couplings"

    def __init__(self, cinn: CouplingCinn) -> None:
        self.cinn = cinn.eval().requires_grad_(False)
        self.settings: dict[str, object] = {"default_temperature": 1.0}

    @torch.inference_mode()
    def colorize(self, photo: NDArray[np.uint8], samples: int, temperature: float, seed: int) -> Colors:
        """Colorize; see Method. Raises NonFiniteError where samples overflow."""
        device = self.cinn.chroma_mean.device
        lightness = torch.from_numpy(resize_lightness(photo_to_lightness(photo)))[None, None].to(device)
        condition = self.cinn.condition(lightness)
        deviations = [1.0] * len(self.cinn.dims)
        drawn_latents = draw_latents(self.cinn.dims, deviations, seed, range(max(samples, DEFAULT_SAMPLES)))
        z = [torch.from_numpy(each) for each in drawn_latents]
        rows = [torch.cat((temperature * each[:samples], each[:DEFAULT_SAMPLES], 0 * each[:1])) for each in z]
        drawn = self.cinn.sample(condition, [each.to(device) for each in rows])
        chroma, bits = drawn.chroma.cpu().numpy(), self._bits(drawn.log_prob)
        if not (np.isfinite(chroma).all() and np.isfinite(bits).all()):
            raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        truth = self._truth_bits(photo, condition, seed)
        return Colors(chroma[:samples], chroma[samples:-1], chroma[-1:], Bits(*truth, bits[:samples]))

    def _truth_bits(self, photo: NDArray[np.uint8], condition: list[Tensor], seed: int) -> tuple[float, float]:
        truth = torch.from_numpy(photo_to_chroma(photo, self.cinn.chroma_size)).permute(2, 0, 1)
        noise = Noise().finest * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
        chroma = torch.stack((truth, truth + self.cinn.chroma_std.cpu() * noise)).to(self.cinn.chroma_mean.device)
        plain, noisy = self._bits(self.cinn.log_prob(chroma, condition).log_prob).tolist()
        return plain, noisy

    def _bits(self, log_prob: Tensor) -> NDArray[np.float64]:
        """Bits per dimension from the nats of each level."""
        return (-log_prob.double().sum(1) / (np.log(2) * sum(self.cinn.dims))).cpu().numpy()

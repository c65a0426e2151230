"""A network of couplings as a method of `benchmarks.quality`."""

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.quality.methods import DEFAULT_SAMPLES, Bits, Colors, bits_of, truth_bits
from model.drawing.latents import draw_latents
from model.errors import NonFiniteError
from model.pixels.color import photo_to_lightness
from model.pixels.resizing import resize_lightness
from research.couplings.cinn import CouplingCinn
from research.couplings.objective import Noise

__all__ = ["CouplingMethod"]


class CouplingMethod:
    """A network of couplings; its default temperature is 1 at every level."""

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
        chroma, bits = drawn.chroma.cpu().numpy(), bits_of(drawn.log_prob, self.cinn.dims)
        if not (np.isfinite(chroma).all() and np.isfinite(bits).all()):
            raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        truth = truth_bits(self.cinn, photo, condition, Noise().finest, seed)
        return Colors(chroma[:samples], chroma[samples:-1], chroma[-1:], Bits(*truth, bits[:samples]))

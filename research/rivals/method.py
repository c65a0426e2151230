"""A rival as a method of `benchmarks.quality`."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.quality.methods import DEFAULT_SAMPLES, Colors
from model.drawing.latents import draw_latents
from model.pixels.color import photo_to_lightness
from model.pixels.resizing import resize_lightness
from research.rivals.checkpoint import RivalColorizer

__all__ = ["RivalMethod"]


class RivalMethod:
    """A rival; its default temperature is 1, the only one of a GAN's or VAE's latents."""

    def __init__(self, colorizer: RivalColorizer, name: str) -> None:
        self.colorizer, self.name = colorizer, name
        self.settings: dict[str, object] = {"default_temperature": 1.0}

    @torch.inference_mode()
    def colorize(self, photo: NDArray[np.uint8], samples: int, temperature: float, seed: int) -> Colors:
        """Colorize; see Method."""
        device = self.colorizer.chroma_mean.device
        lightness = torch.from_numpy(resize_lightness(photo_to_lightness(photo)))[None, None].to(device)
        shape = self.colorizer.rival.decoder.latent_shape
        z = torch.from_numpy(draw_latents((math.prod(shape),), (1.0,), seed, range(max(samples, DEFAULT_SAMPLES)))[0])
        latents = torch.cat((temperature * z[:samples], z[:DEFAULT_SAMPLES], 0 * z[:1]))
        chroma = self.colorizer.sample(lightness, latents.view(len(latents), *shape).to(device)).cpu().numpy()
        return Colors(chroma[:samples], chroma[samples:-1], chroma[-1:], None)

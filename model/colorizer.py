"""The colorizer that the service calls: a photo in, samples at its own size out."""

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint, load_checkpoint
from model.color import photo_to_lightness
from model.errors import InputError, NonFiniteError
from model.latents import draw_latents, latent_norms, rescale_latents
from model.protocol import Colorings, ModelInfo, Photo, SampleOptions
from model.resizing import resize_lightness
from model.upsampling import upsample_to_rgb

__all__ = ["CinnColorizer", "choose_device", "load_colorizer"]

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> str:
    """Turn `auto` into `cuda` where there is a GPU, else `cpu`. Raises InputError for a device that is not there."""
    if name not in DEVICES:
        raise InputError("device", f"one of {', '.join(DEVICES)}", name)
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "a CUDA device, or auto", "cuda on a machine without one")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def load_colorizer(weights: Path, device: str = "auto") -> "CinnColorizer":
    """Load weights onto a device. Raises CheckpointError or InputError."""
    chosen = choose_device(device)
    return CinnColorizer(load_checkpoint(weights, chosen), chosen)


class CinnColorizer:
    """Colorizes with a trained cINN; see `model.protocol.Colorizer`."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.cinn = checkpoint.cinn

    @property
    def info(self) -> ModelInfo:
        """What is loaded, and where."""
        return ModelInfo(
            name=self.checkpoint.name,
            device=self.device,
            parameters=sum(p.numel() for p in self.cinn.parameters()),
            latents=sum(self.cinn.dims),
            default_temperature=self.checkpoint.temperature,
            sha256=self.checkpoint.sha256,
        )

    @torch.inference_mode()
    def colorize(self, photo: Photo, options: SampleOptions) -> Colorings:
        """Draw samples and bring them to the photo's own size; see `model.protocol.Colorizer`."""
        if options.n < 1:
            raise InputError("n", "at least 1", options.n)
        temperature = self.checkpoint.temperature if options.temperature is None else options.temperature
        latents = self.draw(options, temperature)
        begin = time.perf_counter()
        lightness = photo_to_lightness(photo)
        condition = self.condition(lightness)
        self._wait()
        conditioned = time.perf_counter()
        chroma, bits_per_dim = self.sample(condition, latents)
        sampled = time.perf_counter()
        images = upsample_to_rgb(chroma, lightness)
        upsampled = time.perf_counter()
        return Colorings(
            images=images,
            bits_per_dim=tuple(bits_per_dim.tolist()),
            latent_norms=tuple(latent_norms(latents).tolist()),
            temperature=temperature,
            timings={
                "condition": conditioned - begin,
                "sample": sampled - conditioned,
                "upsample": upsampled - sampled,
            },
        )

    def draw(self, options: SampleOptions, temperature: float) -> list[Tensor]:
        """Draw the latents that the options name, (N, dim) of each level, on the CPU."""
        exponents = self.checkpoint.temperature_exponents
        latents = draw_latents(self.cinn.dims, exponents, options.seed, range(options.n), temperature)
        return latents if options.latent_norm is None else rescale_latents(latents, options.latent_norm)

    def condition(self, lightness: NDArray[np.float32]) -> list[Tensor]:
        """Compute all that depends on the photo alone, from (H, W) L* in [0, 100]."""
        small = torch.from_numpy(resize_lightness(lightness))[None, None].to(self.device)
        return self.cinn.condition(small)

    def sample(self, condition: list[Tensor], latents: list[Tensor]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Decode latents to (N, 2, 64, 64) a*b* and (N,) bits per dimension. Raises NonFiniteError."""
        samples = self.cinn.sample(condition, [z.to(self.device) for z in latents])
        chroma = samples.chroma.float().cpu().numpy()
        bits_per_dim = -samples.log_prob.double().sum(1).cpu().numpy() / (np.log(2) * chroma[0].size)
        if not (np.isfinite(chroma).all() and np.isfinite(bits_per_dim).all()):
            raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        return chroma, bits_per_dim

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

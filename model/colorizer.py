"""The colorizer that the service calls: a photo in, samples at its own size out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint, load_checkpoint
from model.cinn import LogProb
from model.color import photo_to_lightness
from model.device import choose_device, device_memory
from model.errors import InputError, NonFiniteError
from model.hints import follow_hints, match_hints
from model.latents import (
    draw_latents,
    interpolate_latents,
    latent_norms,
    mix_latents,
    rescale_latents,
    temperature_of_norm,
)
from model.protocol import (
    Colorings,
    DeviceMemory,
    Hint,
    InterpolationOptions,
    LatentName,
    LevelLikelihood,
    Likelihood,
    ModelInfo,
    Photo,
    SampleOptions,
    TransferOptions,
    VariationOptions,
)
from model.resizing import photo_to_chroma, resize_lightness
from model.selection import select_diverse, select_likely
from model.timer import Timer
from model.upsampling import upsample_to_rgb

__all__ = ["CinnColorizer", "load_colorizer"]

BATCH = {"cpu": 4, "cuda": 16}
"""Samples that are decoded at once, filled up where there are fewer: another number may take other kernels, whose last
bits differ, and a sample must not depend on how many are drawn with it."""
MAX_CANDIDATES = 64
MAX_STEPS = 16
COARSE_SIZE = 8
"""Diverse candidates are told apart by their a*b* at this size: finer levels change colours little and cost most."""
COPIED_SIZE = 16
"""Latents of the levels up to this size are copied from a reference, where no weights are given."""


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

    @property
    def memory(self) -> DeviceMemory:
        """Memory of the device, now."""
        return device_memory(self.device)

    @torch.no_grad()
    def colorize(self, photo: Photo, options: SampleOptions) -> Colorings:
        """Draw samples and bring them to the photo's own size; see `model.protocol.Colorizer`."""
        candidates = options.n if options.candidates is None else options.candidates
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("candidates", candidates, options.n, MAX_CANDIDATES)
        _check("offset", options.offset, 0, MAX_CANDIDATES - candidates)
        temperature = self._temperature(options.temperature, options.latent_norm)
        drawn = self.draw(options, temperature)
        timer = Timer(self.device)
        lightness = photo_to_lightness(photo)
        condition = self.condition(lightness)
        timer.stop("condition")
        indices = self._select(condition, drawn, options)
        latents = [z[indices] for z in drawn]
        indices = [options.offset + i for i in indices]
        if options.hints:
            small = torch.from_numpy(resize_lightness(lightness)).to(self.device)
            latents = follow_hints(self.cinn, condition, latents, small, options.hints)
        chroma, bits_per_dim = self.sample(condition, latents)
        timer.stop("sample")
        if options.rank == "likelihood":
            order = np.argsort(bits_per_dim, kind="stable")
            chroma, bits_per_dim, latents = chroma[order], bits_per_dim[order], [z[order] for z in latents]
            indices = [indices[i] for i in order]
        return self._finish(lightness, chroma, bits_per_dim, latents, temperature, timer, indices, options.hints)

    @torch.no_grad()
    def vary(self, photo: Photo, options: VariationOptions) -> Colorings:
        """Draw samples like a given one; see `model.protocol.Colorizer`."""
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("strength", options.strength, 0, 1)
        _check("offset", options.offset, 0, MAX_CANDIDATES - options.n)
        sizes = [level.size for level in self.cinn.config.levels]
        moved = sizes if options.levels is None else options.levels
        if not set(moved) <= set(sizes):
            raise InputError("levels", f"sizes among {sizes}", moved)
        temperature = self._temperature(options.temperature, options.latent_norm)
        origin = self._recall(options.origin, temperature, options.latent_norm)
        numbers = _numbers(options.offset, options.n)
        noise = self._draw(options.noise_seed, numbers, temperature, options.latent_norm)
        kept = (1 - options.strength**2) ** 0.5
        latents = mix_latents(origin, noise, [kept if size in moved else 1.0 for size in sizes])
        if options.latent_norm is not None and options.strength > 0:  # at 0, not even rounding may change a latent
            latents = rescale_latents(latents, options.latent_norm)
        return self._decode(photo, latents, temperature, numbers)

    @torch.no_grad()
    def transfer(self, photo: Photo, reference: Photo, options: TransferOptions) -> Colorings:
        """Colorize by the latent of a reference; see `model.protocol.Colorizer`."""
        _check("n", options.n, 1, MAX_CANDIDATES)
        _check("offset", options.offset, 0, MAX_CANDIDATES - options.n)
        temperature = self._temperature(options.temperature, None)
        weights = options.weights
        if weights is None:
            weights = tuple(float(level.size <= COPIED_SIZE) for level in self.cinn.config.levels)
        numbers = _numbers(options.offset, options.n)
        noise = self._draw(options.seed, numbers, temperature, None)
        timer = Timer(self.device)
        latents = mix_latents(self.encode(reference).latents, noise, weights)
        return self._decode(photo, latents, temperature, numbers, timer)

    @torch.no_grad()
    def interpolate(self, photo: Photo, options: InterpolationOptions, reference: Photo | None = None) -> Colorings:
        """Colorize along a path between two latents; see `model.protocol.Colorizer`."""
        _check("steps", options.steps, 2, MAX_STEPS)
        if (options.end is None) == (reference is None):
            raise InputError("reference", "an index of the end or a reference, not both", "both or neither")
        temperature = self._temperature(options.temperature, options.latent_norm)
        start = self._recall(options.start, temperature, options.latent_norm)
        timer = Timer(self.device)
        if options.end is not None:
            end = self._recall(options.end, temperature, options.latent_norm)
        elif reference is not None:
            end = self.encode(reference).latents
        positions = np.linspace(0, 1, options.steps).tolist()
        latents = interpolate_latents(start, end, positions, options.path == "spherical")
        return self._decode(photo, latents, temperature, range(options.steps), timer)

    @torch.no_grad()
    def likelihood(self, photo: Photo) -> Likelihood:
        """Say how plausible a photo's own colours are; see `model.protocol.Colorizer`."""
        timer = Timer(self.device)
        condition = self.condition(photo_to_lightness(photo))
        timer.stop("condition")
        encoded = self.encode(photo, condition)
        bits = (-encoded.log_prob[0].double() / np.log(2)).tolist()
        timer.stop("likelihood")
        levels = tuple(
            LevelLikelihood(level.size, dims, level_bits / dims, float(latent_norms([z])))
            for level, dims, level_bits, z in zip(
                self.cinn.config.levels, self.cinn.dims, bits, encoded.latents, strict=True
            )
        )
        return Likelihood(sum(bits) / sum(self.cinn.dims), levels, timer.seconds)

    def draw(self, options: SampleOptions, temperature: float) -> list[Tensor]:
        """Draw the latents that the options name, every candidate's, (N, dim) of each level, on the CPU."""
        many = options.n if options.candidates is None or options.select == "first" else options.candidates
        return self._draw(options.seed, _numbers(options.offset, many), temperature, options.latent_norm)

    def condition(self, lightness: NDArray[np.float32]) -> list[Tensor]:
        """Compute all that depends on the photo alone, from (H, W) L* in [0, 100]."""
        small = torch.from_numpy(resize_lightness(lightness))[None, None].to(self.device)
        return self.cinn.condition(small)

    def sample(
        self, condition: list[Tensor], latents: Sequence[Tensor]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Decode latents to (N, 2, 64, 64) a*b* and (N,) bits per dimension. Raises NonFiniteError."""
        n, batch = len(latents[0]), BATCH[self.device]
        filled = [F.pad(z, (0, 0, 0, -n % batch)).to(self.device) for z in latents]
        parts = [
            self.cinn.sample(condition, part) for part in zip(*(torch.split(z, batch) for z in filled), strict=True)
        ]
        chroma = torch.cat([part.chroma for part in parts])[:n].float().cpu().numpy()
        log_prob = torch.cat([part.log_prob for part in parts])[:n].double().sum(1).cpu().numpy()
        bits_per_dim = -log_prob / (np.log(2) * chroma[0].size)
        if not (np.isfinite(chroma).all() and np.isfinite(bits_per_dim).all()):
            raise NonFiniteError("the flow returned a*b* that are not finite numbers")
        return chroma, bits_per_dim

    def encode(self, photo: Photo, condition: list[Tensor] | None = None) -> LogProb:
        """Encode a photo's own colours, given its own lightness or the condition made of it; latents on the CPU.

        Raises NonFiniteError.
        """
        if condition is None:
            condition = self.condition(photo_to_lightness(photo))
        chroma = torch.from_numpy(photo_to_chroma(photo, self.cinn.chroma_size)).permute(2, 0, 1)[None]
        encoded = self.cinn.log_prob(chroma.to(self.device), condition)
        if not all(bool(part.isfinite().all()) for part in (encoded.log_prob, *encoded.latents)):
            raise NonFiniteError("the flow returned latents that are not finite numbers")
        return LogProb(encoded.log_prob.cpu(), [z.cpu() for z in encoded.latents])

    def _temperature(self, given: float | None, norm: float | None) -> float:
        if norm is not None:
            return temperature_of_norm(self.cinn.dims, self.checkpoint.temperature_exponents, norm)
        return self.checkpoint.temperature if given is None else given

    def _draw(self, seed: int, indices: Sequence[int], temperature: float, norm: float | None) -> list[Tensor]:
        latents = draw_latents(self.cinn.dims, self.checkpoint.temperature_exponents, seed, indices, temperature)
        return latents if norm is None else rescale_latents(latents, norm)

    def _recall(self, name: LatentName, temperature: float, norm: float | None) -> list[Tensor]:
        _check("index", name.index, 0, MAX_CANDIDATES - 1)
        return self._draw(name.seed, [name.index], temperature, norm)

    def _select(self, condition: list[Tensor], latents: list[Tensor], options: SampleOptions) -> list[int]:
        if len(latents[0]) == options.n:
            return list(range(options.n))
        if options.select == "likely":
            return select_likely(self.sample(condition, latents)[1], options.n)
        coarse = [z for z, level in zip(latents, self.cinn.config.levels, strict=True) if level.size <= COARSE_SIZE]
        chroma = self.cinn.sample(condition, [z.to(self.device) for z in coarse]).chroma  # none of these is shown
        return select_diverse(chroma.float().cpu().numpy(), options.n)

    def _decode(
        self,
        photo: Photo,
        latents: list[Tensor],
        temperature: float,
        indices: Sequence[int],
        timer: Timer | None = None,
    ) -> Colorings:
        timer = timer or Timer(self.device)
        lightness = photo_to_lightness(photo)
        condition = self.condition(lightness)
        timer.stop("condition")
        chroma, bits_per_dim = self.sample(condition, latents)
        timer.stop("sample")
        return self._finish(lightness, chroma, bits_per_dim, latents, temperature, timer, indices)

    def _finish(
        self,
        lightness: NDArray[np.float32],
        chroma: NDArray[np.float32],
        bits_per_dim: NDArray[np.float64],
        latents: list[Tensor],
        temperature: float,
        timer: Timer,
        indices: Sequence[int],
        hints: Sequence[Hint] = (),
    ) -> Colorings:
        images = upsample_to_rgb(chroma, lightness)
        timer.stop("upsample")
        return Colorings(
            images=images,
            indices=tuple(indices),
            bits_per_dim=tuple(bits_per_dim.tolist()),
            latent_norms=tuple(latent_norms(latents).tolist()),
            temperature=temperature,
            timings=timer.seconds,
            hints=match_hints(images, hints) if hints else (),
        )


def _numbers(offset: int, n: int) -> range:
    return range(offset, offset + n)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise InputError(name, f"{low} to {high}", value)

"""The colorizer that the service calls: a photo in, samples at its own size out."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.device import choose_device, device_memory, one_thread_each
from model.drawing.hints import match_hints, mend_hints
from model.drawing.latents import latent_norms
from model.drawing.passes import Decoded, Passes
from model.drawing.plans import Chosen, Planner, own_chroma
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.runtime import Condition
from model.drawing.timer import Timer
from model.flow.checkpoint import Checkpoint, load_checkpoint
from model.flow.cinn import LogProb
from model.options import PLAIN, Look
from model.pixels.color import photo_to_lightness
from model.pixels.resizing import resize_lightness
from model.pixels.scaling import Scaler, adjust
from model.pixels.upsampling import upsample_to_rgb
from model.protocol import (
    Colorings,
    DeviceMemory,
    Drawn,
    DrawTask,
    Finished,
    Hint,
    InterpolationOptions,
    LevelLikelihood,
    Likelihood,
    ModelInfo,
    Options,
    Photo,
    SampleOptions,
    SmallPhoto,
    TransferOptions,
    VariationOptions,
)

__all__ = ["CinnColorizer", "Scaler", "load_colorizer", "one_thread_each"]


def load_colorizer(weights: Path, device: str = "auto", cache: Path | None = None) -> "CinnColorizer":
    """Load weights onto a device. Raises CheckpointError or InputError.

    cache: folder of networks compiled for this processor, read and, where that is allowed, written.
    """
    chosen = choose_device(device)
    return CinnColorizer(load_checkpoint(weights, chosen), chosen, cache)


class CinnColorizer:
    """Colorizes with a trained cINN; see `model.protocol.Colorizer`."""

    def __init__(self, checkpoint: Checkpoint, device: str, cache: Path | None = None) -> None:
        """cache: see `load_colorizer`; the checkpoint must be as its file is."""
        self.checkpoint = checkpoint
        self.device = device
        # the same numbers in another order, which convolutions are faster in: see python -m benchmarks.speed.sampling
        self.cinn = checkpoint.cinn.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch forgets it
        self.cinn.eval().requires_grad_(False)
        graphs = GraphCache(cache, checkpoint.sha256) if cache and device == "cpu" else None
        self._passes = Passes(self.cinn, device, cache=graphs)
        self._planner = Planner(checkpoint, self._passes)
        self._scaler = Scaler(self.cinn.chroma_size)

    @cached_property
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

    def colorize(self, photo: Photo, options: SampleOptions) -> Colorings:
        """Draw samples and bring them to the photo's own size; see `model.protocol.Colorizer`."""
        return self._colorize(photo, options)

    def vary(self, photo: Photo, options: VariationOptions) -> Colorings:
        """Draw samples like a given one; see `model.protocol.Colorizer`."""
        return self._colorize(photo, options)

    def transfer(self, photo: Photo, reference: Photo, options: TransferOptions) -> Colorings:
        """Colorize by the latent of a reference; see `model.protocol.Colorizer`."""
        return self._colorize(photo, options, reference)

    def interpolate(self, photo: Photo, options: InterpolationOptions, reference: Photo | None = None) -> Colorings:
        """Colorize along a path between two latents; see `model.protocol.Colorizer`."""
        return self._colorize(photo, options, reference)

    def likelihood(self, photo: Photo) -> Likelihood:
        """Say how plausible a photo's own colours are; see `model.protocol.Colorizer`."""
        return self.score_all([self.shrink(photo, with_chroma=True)])[0]

    def shrink(self, photo: Photo, with_chroma: bool = False) -> SmallPhoto:
        """Bring a photo to the network's sizes; see `model.protocol.Colorizer`."""
        return self._scaler.shrink(photo, with_chroma)

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        """Draw the samples of several tasks in shared passes; see `model.protocol.Colorizer`."""
        with self._passes.running():
            plans = [self._planner.plan(task) for task in tasks]
            timer = Timer(self.device)
            conditions = self._passes.condition([task.photo.lightness for task in tasks])
            timer.stop("condition")
            chosen = [plan(condition) for plan, condition in zip(plans, conditions, strict=True)]
            coarsest, fine = [each.coarsest for each in chosen], [each.fine for each in chosen]
            decoded = self._passes.add_details(conditions, coarsest, fine)
            decoded = [
                self._mend(task.photo, each.hints, condition, samples) if each.hints else samples
                for task, each, condition, samples in zip(tasks, chosen, conditions, decoded, strict=True)
            ]
            timer.stop("sample")
        return [_drawn(each, samples, timer.seconds) for each, samples in zip(chosen, decoded, strict=True)]

    def score_all(self, photos: Sequence[SmallPhoto]) -> list[Likelihood]:
        """Say how plausible the own colours of several photos are; see `model.protocol.Colorizer`."""
        with self._passes.running():
            timer = Timer(self.device)
            conditions = self._passes.condition([photo.lightness for photo in photos])
            timer.stop("condition")
            encoded = [
                self._passes.encode(_as_batch(own_chroma(photo)), condition)
                for photo, condition in zip(photos, conditions, strict=True)
            ]
            timer.stop("likelihood")
        return [self._likelihood(each, timer.seconds) for each in encoded]

    def finish(self, photo: Photo, drawn: Drawn, look: Look = PLAIN) -> Iterator[Finished]:
        """Bring samples to the photo's own size, a few at a time; see `model.protocol.Colorizer`."""
        return self._scaler.finish(photo, drawn, look)

    def condition(self, lightness: NDArray[np.float32]) -> Condition:
        """Compute all that depends on the photo alone, from (H, W) L* in [0, 100]."""
        with self._passes.running():
            return self._passes.condition([resize_lightness(lightness)])[0]

    def sample(
        self, condition: Condition, latents: Sequence[Tensor]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Decode latents at temperature 1 to (N, 2, 64, 64) a*b* and (N,) bits per dimension. Raises NonFiniteError."""
        with self._passes.running():
            ones = torch.ones(len(latents[0]))
            coarsest = self._passes.draw_coarsest([condition], [latents[0]], [ones], [None])
            (decoded,) = self._passes.add_details([condition], coarsest, [latents[1:]])
        return decoded.chroma, decoded.bits_per_dim

    def encode(self, photo: Photo) -> LogProb:
        """Encode a photo's own colours, given its own lightness; latents on the CPU. Raises NonFiniteError."""
        small = self.shrink(photo, with_chroma=True)
        with self._passes.running():
            (condition,) = self._passes.condition([small.lightness])
            return self._passes.encode(_as_batch(own_chroma(small)), condition)

    def _colorize(self, photo: Photo, options: Options, reference: Photo | None = None) -> Colorings:
        lightness = photo_to_lightness(photo)
        small = self._scaler.shrink(photo, lightness=lightness)
        seen = None if reference is None else self.shrink(reference, with_chroma=True)
        (drawn,) = self.draw_all([DrawTask(small, options, seen)])
        timer = Timer(self.device)
        images = upsample_to_rgb(adjust(drawn.chroma, options), lightness)
        timer.stop("upsample")
        return Colorings(
            images=images,
            indices=drawn.indices,
            bits_per_dim=drawn.bits_per_dim,
            latent_norms=drawn.latent_norms,
            temperature=drawn.temperature,
            timings=drawn.timings | timer.seconds,
            hints=match_hints(images, drawn.hints) if drawn.hints else (),
        )

    def _mend(self, photo: SmallPhoto, hints: Sequence[Hint], condition: Condition, samples: Decoded) -> Decoded:
        """Correct samples at the points of hints; their likelihood and latents become those of the corrected a*b*."""
        chroma = mend_hints(samples.chroma, photo.lightness, hints)
        encoded = self._passes.encode(chroma, condition)
        bits_per_dim = -encoded.log_prob.double().sum(1) / (np.log(2) * sum(self.cinn.dims))
        return Decoded(chroma, bits_per_dim.numpy(), encoded.latents)

    def _likelihood(self, encoded: LogProb, seconds: dict[str, float]) -> Likelihood:
        bits = (-encoded.log_prob[0].double() / np.log(2)).tolist()
        levels = tuple(
            LevelLikelihood(size, dims, level_bits / dims, float(latent_norms([z])))
            for size, dims, level_bits, z in zip(
                self.cinn.config.sizes, self.cinn.dims, bits, encoded.latents, strict=True
            )
        )
        return Likelihood(sum(bits) / sum(self.cinn.dims), levels, dict(seconds))


def _drawn(chosen: Chosen, samples: Decoded, seconds: dict[str, float]) -> Drawn:
    bits_per_dim = samples.bits_per_dim
    order = np.argsort(bits_per_dim, kind="stable") if chosen.ranked else np.arange(len(bits_per_dim))
    norms = latent_norms(samples.latents).numpy()
    return Drawn(
        chroma=samples.chroma[order],
        indices=tuple(chosen.indices[i] for i in order),
        bits_per_dim=tuple(bits_per_dim[order].tolist()),
        latent_norms=tuple(norms[order].tolist()),
        temperature=chosen.temperature,
        timings=dict(seconds),
        hints=chosen.hints,
    )


def _as_batch(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """(64, 64, 2) a*b* to (1, 2, 64, 64)."""
    return np.ascontiguousarray(chroma.transpose(2, 0, 1)[None])

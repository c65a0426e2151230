"""The colorizer that the service calls: from a photo to samples at its own size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.device import THREADS, choose_device, device_memory, lacks_torch
from model.drawing.hints import mend_hints
from model.drawing.latents import latent_norms
from model.drawing.passes import Decoded, Passes
from model.drawing.plans import Draws, Planner, own_chroma
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.runtime import Condition, Encoded, Floats
from model.flow.checkpoint import Checkpoint, open_checkpoint
from model.flow.mixture_arrays import begin_drawing
from model.options import Options
from model.pixels.scaling import Scaler
from model.protocol import (
    Colorizer,
    DeviceMemory,
    Drawn,
    DrawTask,
    Frame,
    HintMatch,
    LevelLikelihood,
    Likelihood,
    ModelInfo,
    Photo,
    SmallPhoto,
)

if TYPE_CHECKING:
    from model.flow.cinn import Cinn

__all__ = ["CinnColorizer", "Colorings", "Scaler", "colorize", "lacks_torch", "load_colorizer"]


def load_colorizer(weights: Path, device: str = "auto", cache: Path | None = None) -> "CinnColorizer":
    """Load weights onto a device. Raises CheckpointError or InputError.

    cache: folder of networks compiled for this processor; read and, if allowed, written.
    """
    chosen = choose_device(device)
    if chosen == "cpu":
        # while the weights load; the first draw waits for it
        Thread(target=begin_drawing, name="drawing", daemon=False).start()
    colorizer = CinnColorizer(open_checkpoint(weights), chosen, cache)
    colorizer.passes.prepare()
    return colorizer


@dataclass(frozen=True, kw_only=True)
class Colorings(Drawn):
    """Samples of one photo with their images."""

    images: NDArray[np.uint8]
    """(N, H, W, 3) sRGB; L* is the photo's own"""
    matches: tuple[tuple[HintMatch, ...], ...]
    """how well each sample follows each hint"""


def colorize(colorizer: Colorizer, photo: Photo, options: Options, reference: Photo | None = None) -> Colorings:
    """Colorize one photo in one call: shrink, draw, finish. Raises the errors of these three."""
    seen = None if reference is None else colorizer.shrink(reference, with_chroma=True)
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(photo), options, seen)])
    images, matches = zip(*colorizer.finish(photo, drawn, options), strict=True)
    return Colorings(**vars(drawn), images=np.stack(images), matches=matches)


class CinnColorizer(Scaler):
    """Colorizes with a trained cINN; see `model.protocol.Colorizer` for its methods."""

    def __init__(self, checkpoint: Checkpoint, device: str, cache: Path | None = None) -> None:
        """cache: see `load_colorizer`. The checkpoint must be unchanged since it was read from its file."""
        self.checkpoint = checkpoint
        self.device = device
        graphs = GraphCache(cache, checkpoint.sha256) if cache and device == "cpu" else None
        self.passes = Passes(checkpoint, device, graphs)
        self._planner = Planner(checkpoint, self.passes)
        super().__init__(checkpoint.config.sizes[-1])

    @property
    def cinn(self) -> "Cinn":
        """The network as a torch module, which colorizing on a CPU does not need."""
        return self.checkpoint.cinn

    @property
    def at_once(self) -> int:
        return 1 if self.device == "cuda" else min(2, THREADS)  # the parts of a call on one core fit beside another's

    def prepare_rest(self) -> Iterator[None]:
        return self.passes.prepare_rest()

    @cached_property
    def info(self) -> ModelInfo:
        return ModelInfo(
            name=self.checkpoint.name,
            device=self.device,
            parameters=int(self.passes.numbers.parameters[0]),
            latents=self.checkpoint.config.total_dims,
            default_temperature=self.checkpoint.temperature,
            sha256=self.checkpoint.sha256,
        )

    @property
    def memory(self) -> DeviceMemory:
        return device_memory(self.device)

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        with self.passes.running():
            plans = [self._planner.plan(task) for task in tasks]
            started = perf_counter()
            conditions = self.passes.condition([task.photo.lightness for task in tasks])
            conditioned = self.passes.now()
            photos = [task.photo for task in tasks]
            recolored = self._recolored(photos, conditions, [plan() for plan in plans])
            coarsest, draws = self._draw(conditions, recolored)
            decoded = self.passes.add_details(conditions, coarsest, [each.latents[1:] for each in draws])
            mended = list(map(self._mend, photos, draws, conditions, decoded))
            timings = {"condition": conditioned - started, "sample": self.passes.now() - conditioned}
        return [
            _drawn(each, x, photo.frame, samples, corrected, timings)
            for each, x, photo, samples, corrected in zip(draws, coarsest, photos, decoded, mended, strict=True)
        ]

    def _recolored(
        self, photos: Sequence[SmallPhoto], conditions: Sequence[Condition], draws: Sequence[Draws]
    ) -> list[Draws]:
        """Draw the colors of points that get others: those that they have in draws of the level's own, at 1."""
        recolored = list(draws)
        asking = {i: each.fresh for i, each in enumerate(draws) if each.fresh is not None}
        if asking:
            drawn = self.passes.draw_coarsest(
                [conditions[i] for i in asking],
                [*asking.values()],
                [np.ones(len(z), np.float32) for z in asking.values()],
                [draws[i].given_elsewhere for i in asking],
                [0.0] * len(asking),
            )
            for i, coarsest in zip(asking, drawn, strict=True):
                recolored[i] = draws[i].recolored(photos[i], coarsest)
        return recolored

    def _draw(self, conditions: Sequence[Condition], draws: Sequence[Draws]) -> tuple[list[Floats], list[Draws]]:
        """Draw the coarsest level of all photos at once; return the draws that each task selects."""
        drawn = self.passes.draw_coarsest(
            conditions,
            [each.latents[0] for each in draws],
            [each.decoding for each in draws],
            [each.given for each in draws],
            [each.tolerance for each in draws],
        )
        chosen = [each.chosen(condition, x) for each, condition, x in zip(draws, conditions, drawn, strict=True)]
        return [coarsest for coarsest, _ in chosen], [kept for _, kept in chosen]

    def score_all(self, photos: Sequence[SmallPhoto]) -> list[Likelihood]:
        with self.passes.running():
            started = perf_counter()
            conditions = self.passes.condition([photo.lightness for photo in photos])
            conditioned = self.passes.now()
            encoded = [
                self.passes.encode(own_chroma(photo), condition)
                for photo, condition in zip(photos, conditions, strict=True)
            ]
            timings = {"condition": conditioned - started, "likelihood": self.passes.now() - conditioned}
        return [self._likelihood(each, timings) for each in encoded]

    def _mend(self, photo: SmallPhoto, draws: Draws, condition: Condition, samples: Decoded) -> Decoded:
        """Correct samples at the points of hints, and compute their likelihoods and latents anew."""
        if draws.wished is None:
            return samples
        chroma = mend_hints(samples.chroma, photo, draws.fixed, draws.wished)
        encoded = self.passes.encode(chroma, condition)
        return Decoded(chroma, self.passes.bits_per_dim(encoded.log_prob), encoded.latents)

    def _likelihood(self, encoded: Encoded, seconds: dict[str, float]) -> Likelihood:
        bits = (-encoded.log_prob[0] / np.log(2)).tolist()
        config = self.checkpoint.config
        levels = tuple(
            LevelLikelihood(size, dims, level_bits / dims, float(latent_norms([z])[0]))
            for size, dims, level_bits, z in zip(config.sizes, config.dims, bits, encoded.latents, strict=True)
        )
        return Likelihood(sum(bits) / config.total_dims, levels, dict(seconds))


def _drawn(
    draws: Draws,
    coarsest: Floats,
    frame: Frame,
    decoded: Decoded,
    samples: Decoded,
    seconds: dict[str, float],
) -> Drawn:
    """Return samples in the protocol's form. decoded: the samples before correction at points."""
    bits_per_dim = samples.bits_per_dim
    order = np.argsort(bits_per_dim, kind="stable") if draws.ranked else np.arange(len(bits_per_dim))
    norms = latent_norms(samples.latents)
    return Drawn(
        chroma=samples.chroma[order],
        indices=tuple(draws.indices[i] for i in order),
        bits_per_dim=tuple(bits_per_dim[order].tolist()),
        latent_norms=tuple(norms[order].tolist()),
        temperature=draws.temperature,
        timings=dict(seconds),
        coarsest=coarsest[order],
        bits_before_hints=tuple(decoded.bits_per_dim[order].tolist()),
        hints=draws.hints,
        colors=tuple(draws.colors[i] if draws.at else () for i in order),
        frame=frame,
    )

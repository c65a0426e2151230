"""One photo's way: decode → shrink → draw → finish → encode."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from model.protocol import DrawTask, HintMatch, Options, SmallPhoto, Steps, VariationOptions
from service.api.endpoints import ColorEndpoint, Endpoint
from service.api.formats import FORMATS, OutputFormat
from service.api.schemas import LevelBits, LikelihoodResponse, LikelihoodTimings
from service.codecs.decoding import DecodedPhoto
from service.codecs.encoding import check_output_size, encode
from service.codecs.sandbox import Decoders
from service.errors import OutputSizeError
from service.network import Network
from service.scheduling.backlog import Place
from service.scheduling.lanes import Lane, Lanes
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import record_stages

__all__ = ["Colorization", "Pipeline", "Sample", "Tools"]

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Sample:
    """One coloring as a file."""

    index: int
    data: bytes
    media_type: str
    bits_per_dim: float
    latent_norm: float
    hints: tuple[HintMatch, ...]


@dataclass(frozen=True)
class Colorization:
    """N colorings of one photo, and what is known about them before the first is a file."""

    id: str
    created: int
    """Unix time in seconds"""
    model: str
    seed: int
    noise_seed: int | None
    """seed of the noise; variations only"""
    temperature: float
    width: int
    height: int
    output_format: OutputFormat
    samples: AsyncGenerator[Sample]
    """each as soon as it is encoded; threads are held until the last: do not wait for a client between two"""
    timings: dict[str, float]
    """seconds: `decode`, `queue` (spent waiting for the network), `condition`, `sample`; with the last sample come
    `upsample` and `encode`"""


@dataclass(frozen=True)
class Tools:
    """Everything that the requests of one process share."""

    settings: Settings
    metrics: Metrics
    steps: Steps
    network: Network
    lanes: Lanes
    decoders: Decoders
    decoding: Executor
    """threads that wait for the decoders"""


class Pipeline:
    """The steps of one accepted request. `Engine.accept` makes it, and holds its place and its deadline."""

    def __init__(self, tools: Tools, place: Place) -> None:
        self._tools = tools
        self.place = place

    async def colorize(
        self,
        endpoint: ColorEndpoint,
        uploads: Mapping[str, bytes],
        options: Options,
        output_format: OutputFormat,
        quality: int,
    ) -> Colorization:
        """Turn uploads into drawn colorings, which are finished and encoded as they are taken.

        Cancelled or closed, it drops what its threads have not begun.
        Raises what `decode` raises, OutputSizeError, QueueFullError and ModelError.
        """
        timer = _Timer()
        self.place.claim(latents=options.latents)
        with self._tools.network.coming():
            photo, reference = await self._decode(uploads)
            timer.stop("decode")
            lane = self._lane(self._claim_pixels(photo, options.samples, output_format))
            small = await self._shrink(lane, photo)
            wanted = None if reference is None else await self._shrink(lane, reference, with_chroma=True)
        drawn = await self._tools.network.draw(DrawTask(small, options, wanted), options.latents)
        timer.stop("queue", but=drawn.timings)
        to_file = partial(_encode, photo, output_format, quality)

        async def samples() -> AsyncGenerator[Sample]:
            facts = zip(drawn.indices, drawn.bits_per_dim, drawn.latent_norms, strict=True)
            finished = self._tools.steps.finish(photo.pixels, drawn, options)
            async with aclosing(lane.finish(finished, to_file, timer.seconds)) as files:
                async for file in files:
                    index, bits_per_dim, latent_norm = next(facts)
                    media_type = FORMATS[output_format].media_type
                    yield Sample(index, file.data, media_type, bits_per_dim, latent_norm, file.hints)
            self._tools.metrics.samples.inc(len(drawn.indices))
            self._report("colorized", endpoint, photo, timer.seconds, samples=len(drawn.indices))

        return Colorization(
            id=_new_id(endpoint),
            created=int(time.time()),
            model=self._tools.steps.info.name,
            seed=options.seed,
            noise_seed=options.noise_seed if isinstance(options, VariationOptions) else None,
            temperature=drawn.temperature,
            width=photo.width,
            height=photo.height,
            output_format=output_format,
            samples=samples(),
            timings=timer.seconds,
        )

    async def score(self, endpoint: Endpoint[Any], uploads: Mapping[str, bytes]) -> LikelihoodResponse:
        """Say how plausible a photo's own colors are. Raises what `decode` raises, QueueFullError and ModelError."""
        timer = _Timer()
        self.place.claim(latents=1)
        with self._tools.network.coming():
            photo, _ = await self._decode(uploads)
            timer.stop("decode")
            pixels = photo.width * photo.height
            self.place.claim(pixels=pixels)
            small = await self._shrink(self._lane(pixels), photo, with_chroma=True)
        found = await self._tools.network.score(small)
        timer.stop("queue", but=found.timings)
        self._report("scored", endpoint, photo, timer.seconds)
        return LikelihoodResponse(
            id=_new_id(endpoint),
            created=int(time.time()),
            model=self._tools.steps.info.name,
            width=photo.width,
            height=photo.height,
            bits_per_dim=found.bits_per_dim,
            levels=[LevelBits(**asdict(level)) for level in found.levels],
            timings=LikelihoodTimings(**timer.seconds),
        )

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run work of pure bytes and pixels beside the event loop."""
        return await self._tools.lanes.small.run(work, *arguments)

    async def _decode(self, uploads: Mapping[str, bytes]) -> tuple[DecodedPhoto, DecodedPhoto | None]:
        """Decode the photo, and the reference if there is one, side by side."""
        limit, loop, tools = self._tools.settings.max_pixels, asyncio.get_running_loop(), self._tools
        work = (
            loop.run_in_executor(tools.decoding, tools.decoders.decode, upload, limit, name)
            for name, upload in uploads.items()
        )
        photos = dict(zip(uploads, await asyncio.gather(*work), strict=True))
        return photos["image"], photos.get("reference")

    def _claim_pixels(self, photo: DecodedPhoto, samples: int, output_format: OutputFormat) -> int:
        """Return how many pixels all samples have, and claim them. Raises OutputSizeError and QueueFullError."""
        check_output_size(photo.width, photo.height, output_format)
        pixels, limit = samples * photo.width * photo.height, self._tools.settings.max_output_pixels
        if pixels > limit:
            raise OutputSizeError(f"n: {samples} × {photo.width}×{photo.height} pixels are more than {limit}")
        self.place.claim(pixels=pixels)
        return pixels

    def _lane(self, pixels: int) -> Lane:
        return self._tools.lanes.of(pixels)

    async def _shrink(self, lane: Lane, photo: DecodedPhoto, with_chroma: bool = False) -> SmallPhoto:
        return await lane.run(self._tools.steps.shrink, photo.pixels, with_chroma)

    def _report(
        self, event: str, endpoint: Endpoint[Any], photo: DecodedPhoto, timings: dict[str, float], **facts: int
    ) -> None:
        """Tell log, metrics and trace of a finished request."""
        pixels = photo.width * photo.height
        self._tools.metrics.pixels.inc(pixels)
        for stage, seconds in timings.items():
            self._tools.metrics.stage_seconds.labels(stage).observe(seconds)
        record_stages(timings)
        rounded = {stage: round(seconds, 4) for stage, seconds in timings.items()}
        log.info(event, kind=endpoint.name, pixels=pixels, **facts, **rounded)


class _Timer:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, step: str, but: Mapping[str, float] | None = None) -> None:
        """End a step; `but` lists the parts of it that have names of their own."""
        now, parts = time.perf_counter(), but or {}
        self.seconds |= {step: max(now - self._last - sum(parts.values()), 0.0), **parts}
        self._last = now


def _encode(photo: DecodedPhoto, output_format: OutputFormat, quality: int, image: NDArray[np.uint8]) -> bytes:
    return encode(image, photo.alpha, output_format, quality)


def _new_id(endpoint: Endpoint[Any]) -> str:
    return f"{endpoint.name}-{uuid.uuid4().hex}"

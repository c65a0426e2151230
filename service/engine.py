"""From an upload to encoded colorings: who waits, who works in which thread, and when to give up."""

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import structlog

from model.protocol import Colorizer, HintMatch, ModelInfo, SampleOptions
from service.decoders import Decoders
from service.decoding import DecodedPhoto
from service.encoding import MEDIA_TYPES, OutputFormat, check_output_size, encode
from service.endpoints import ColorEndpoint, Endpoint
from service.errors import DeadlineError, DrainingError, LoadFailedError, LoadingError, QueueFullError
from service.metrics import Metrics
from service.parameters import Parameters, VariationParameters
from service.schemas import LevelBits, LikelihoodResponse, LikelihoodTimings
from service.settings import Settings
from service.tracing import record_stages

__all__ = ["Colorization", "Engine", "Load", "Sample", "State"]

T = TypeVar("T")
ColorP = TypeVar("ColorP", bound=Parameters)
Load = Callable[[Settings], Colorizer]

PHOTOS_AT_WORK = 3  # one decodes, one is on the model, one encodes; the rest wait as the bytes they came in
RETRY_SECONDS = 5  # where nothing better is known
MAX_RETRY_SECONDS = 60
WARM_UP_SIDE = 256  # pixels

log = structlog.get_logger()


class State(StrEnum):
    """How far the engine is."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


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
    """N colorings of one photo as files, and what is known about them."""

    id: str
    created: int
    """Unix time in seconds"""
    model: str
    seed: int
    noise_seed: int | None
    """of variations"""
    temperature: float
    width: int
    height: int
    output_format: OutputFormat
    samples: tuple[Sample, ...]
    timings: dict[str, float]
    """seconds: `decode`, `condition`, `sample`, `upsample`, `encode`, and `queue`, spent waiting for the model"""


class Engine:
    """Decodes and encodes in parallel threads; the model runs on one thread of its own."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._state = State.LOADING
        self._colorizer: Colorizer | None = None
        self._accepted = 0
        self._last_seconds = 1.0
        self._at_work = asyncio.Semaphore(PHOTOS_AT_WORK)
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._codecs = ThreadPoolExecutor(settings.codec_threads, thread_name_prefix="codec")
        self._decoding = ThreadPoolExecutor(settings.codec_threads, thread_name_prefix="decoding")  # they only wait
        self._decoders = Decoders(settings.decode_seconds)
        metrics.watch(accepted=lambda: self._accepted, ready=lambda: self._state is State.READY)

    @property
    def state(self) -> State:
        return self._state

    @property
    def info(self) -> ModelInfo:
        """Return what is loaded. Raises LoadingError or LoadFailedError while nothing is."""
        return self._loaded().info

    async def load(self, load: Load) -> None:
        """Load the model and warm it up, on its thread; then be ready. A failure is logged and kept as the state."""
        started = time.perf_counter()
        try:
            self._decoders.start()
            self._colorizer = await self._on(self._inference, _load_and_warm_up, load, self._settings)
        except Exception as error:  # whatever it is, the service answers health checks and says that it isn't ready
            log.exception("load_failed", reason=str(error))
            self._state = State.FAILED
            return
        self._metrics.model_loaded(self._colorizer)
        if self._state is State.LOADING:
            self._state = State.READY
        log.info("ready", model=self.info.name, device=self.info.device, seconds=_since(started))

    def drain(self) -> None:
        """Accept no more requests; those accepted are finished."""
        if self._state is not State.FAILED:
            self._state = State.DRAINING

    def close(self) -> None:
        """Drop what has not begun and let the threads end."""
        self._inference.shutdown(wait=False, cancel_futures=True)
        self._codecs.shutdown(wait=False, cancel_futures=True)
        self._decoding.shutdown(wait=False, cancel_futures=True)
        self._decoders.close()

    def check_ready(self) -> None:
        """Raise LoadingError, LoadFailedError or DrainingError unless requests are accepted."""
        self._loaded()
        if self._state is State.DRAINING:
            raise DrainingError("the service is stopping", RETRY_SECONDS)

    @asynccontextmanager
    async def accept(self) -> AsyncIterator[None]:
        """Hold one of the queue's places, and the deadline, around all of a request's work.

        Raises what `check_ready` raises, QueueFullError, or DeadlineError.
        """
        self.check_ready()
        if self._accepted >= self._settings.queue_length:
            seconds = math.ceil(self._last_seconds * self._accepted)
            raise QueueFullError(f"{self._accepted} requests are waiting", min(max(seconds, 1), MAX_RETRY_SECONDS))
        self._accepted += 1
        deadline = asyncio.timeout(self._settings.deadline_seconds)
        try:
            async with deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DeadlineError(f"not ready within {self._settings.deadline_seconds:g} seconds") from error
        finally:
            self._accepted -= 1

    async def colorize(
        self,
        endpoint: ColorEndpoint[ColorP],
        uploads: Mapping[str, bytes],
        parameters: ColorP,
        output_format: OutputFormat,
    ) -> Colorization:
        """Decode, colorize and encode one photo. Cancelled, it drops what its threads have not begun.

        Raises what `decode` raises, OutputSizeError and ModelError.
        """
        colorizer = self._loaded()
        async with self._at_work:
            started = time.perf_counter()
            photos = await self._decode(uploads)
            photo = photos["image"]
            check_output_size(photo.width, photo.height, output_format)
            decoded = _since(started)

            started = time.perf_counter()
            pixels = {name: each.pixels for name, each in photos.items()}
            colorings = await self._on(self._inference, endpoint.run, colorizer, pixels, parameters)
            self._last_seconds = sum(colorings.timings.values())
            waited = _since(started) - self._last_seconds

            started = time.perf_counter()
            quality = parameters.output_compression
            files = await asyncio.gather(
                *(
                    self.in_codec_thread(encode, image, photo.alpha, output_format, quality)
                    for image in colorings.images
                )
            )
            encoded = _since(started)
        timings = {"decode": decoded, "queue": max(waited, 0.0), **colorings.timings, "encode": encoded}
        self._metrics.samples.inc(len(files))
        self._count("colorized", endpoint, photo, timings, samples=len(files))
        hints = colorings.hints or ((),) * len(files)
        facts = zip(colorings.indices, files, colorings.bits_per_dim, colorings.latent_norms, hints, strict=True)
        return Colorization(
            id=_new_id(endpoint),
            created=int(time.time()),
            model=colorizer.info.name,
            seed=parameters.seed,
            noise_seed=parameters.noise_seed if isinstance(parameters, VariationParameters) else None,
            temperature=colorings.temperature,
            width=photo.width,
            height=photo.height,
            output_format=output_format,
            samples=tuple(
                Sample(index, data, MEDIA_TYPES[output_format], bits_per_dim, latent_norm, matches)
                for index, data, bits_per_dim, latent_norm, matches in facts
            ),
            timings=timings,
        )

    async def likelihood(self, endpoint: Endpoint[Any], uploads: Mapping[str, bytes]) -> LikelihoodResponse:
        """Say how plausible a photo's own colours are. Raises what `decode` raises, and ModelError."""
        colorizer = self._loaded()
        async with self._at_work:
            started = time.perf_counter()
            photo = (await self._decode(uploads))["image"]
            decoded = _since(started)

            started = time.perf_counter()
            found = await self._on(self._inference, colorizer.likelihood, photo.pixels)
            waited = _since(started) - sum(found.timings.values())
        timings = {"decode": decoded, "queue": max(waited, 0.0), **found.timings}
        self._count("scored", endpoint, photo, timings)
        return LikelihoodResponse(
            id=_new_id(endpoint),
            created=int(time.time()),
            model=colorizer.info.name,
            width=photo.width,
            height=photo.height,
            bits_per_dim=found.bits_per_dim,
            levels=[LevelBits(**asdict(level)) for level in found.levels],
            timings=LikelihoodTimings(**timings),
        )

    async def _decode(self, uploads: Mapping[str, bytes]) -> dict[str, DecodedPhoto]:
        """Decode files side by side."""
        limit = self._settings.max_pixels
        decode = self._decoders.decode
        work = (self._on(self._decoding, decode, upload, limit, name) for name, upload in uploads.items())
        return dict(zip(uploads, await asyncio.gather(*work), strict=True))

    async def in_codec_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Run work of pure bytes and pixels beside the event loop."""
        return await self._on(self._codecs, work, *arguments)

    def _loaded(self) -> Colorizer:
        if self._state is State.FAILED:
            raise LoadFailedError("the model could not be loaded; the log says why", MAX_RETRY_SECONDS)
        if self._colorizer is None:
            raise LoadingError("the model is being loaded", RETRY_SECONDS)
        return self._colorizer

    def _count(
        self, event: str, endpoint: Endpoint[Any], photo: DecodedPhoto, timings: dict[str, float], **facts: int
    ) -> None:
        pixels = photo.width * photo.height
        self._metrics.pixels.inc(pixels)
        for stage, seconds in timings.items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)
        record_stages(timings)
        rounded = {stage: round(seconds, 4) for stage, seconds in timings.items()}
        log.info(event, kind=endpoint.name, pixels=pixels, **facts, **rounded)

    async def _on(self, threads: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)


def _load_and_warm_up(load: Load, settings: Settings) -> Colorizer:
    colorizer = load(settings)
    ramp = np.linspace(0, 255, WARM_UP_SIDE).astype(np.uint8)
    colorizer.colorize(np.tile(ramp, (WARM_UP_SIDE, 1)), SampleOptions(n=4, seed=0))
    return colorizer


def _new_id(endpoint: Endpoint[Any]) -> str:
    return f"{endpoint.name}-{uuid.uuid4().hex}"


def _since(started: float) -> float:
    return time.perf_counter() - started

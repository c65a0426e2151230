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
from numpy.typing import NDArray

from model.errors import ModelError
from model.protocol import DrawTask, HintMatch, ModelInfo, SampleOptions, Steps
from service.api.endpoints import ColorEndpoint, Endpoint
from service.api.parameters import Parameters, VariationParameters
from service.api.schemas import LevelBits, LikelihoodResponse, LikelihoodTimings
from service.codecs.decoding import DecodedPhoto
from service.codecs.encoding import MEDIA_TYPES, OutputFormat, check_output_size, encode
from service.codecs.sandbox import Decoders
from service.errors import (
    DeadlineError,
    DrainingError,
    LoadFailedError,
    LoadingError,
    OutputSizeError,
    UnhealthyError,
)
from service.finishing import Lanes
from service.memory import give_back_regularly
from service.scheduling.backlog import Backlog, Place
from service.scheduling.batching import Batcher, Network
from service.scheduling.canary import Canary
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import record_stages

__all__ = ["Colorization", "Engine", "Load", "Sample", "State", "load_and_warm_up"]

T = TypeVar("T")
ColorP = TypeVar("ColorP", bound=Parameters)
Load = Callable[[Settings], Steps]

RETRY_SECONDS = 5  # where nothing better is known
FAILED_RETRY_SECONDS = 60
WARM_UP_SIDE = 256  # pixels

log = structlog.get_logger()


class State(StrEnum):
    """How far the engine is."""

    LOADING = "loading"
    READY = "ready"
    UNHEALTHY = "unhealthy"
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
    """Decodes, upsamples and encodes beside the model, which draws for all requests that wait together."""

    def __init__(self, settings: Settings, metrics: Metrics, network: Network | None = None) -> None:
        """network: None runs the model in this process."""
        self._settings = settings
        self._metrics = metrics
        self._state = State.LOADING
        self._colorizer: Steps | None = None
        limits = {
            "requests": settings.queue_length,
            "bytes": settings.queue_bytes,
            "latents": settings.queue_latents,
            "pixels": settings.queue_pixels,
        }
        two_batches = {"latents": 2 * settings.batch_latents}
        self._backlog = Backlog(limits, settings.deadline_seconds, floors=two_batches)
        self._network = network or Batcher(
            settings.batch_latents, settings.batch_wait_seconds, metrics.batch_size.observe
        )
        self._canary = Canary(self._network, settings.canary_seconds, settings.deadline_seconds)
        self._watching: asyncio.Task[None] | None = None
        self._giving_back: asyncio.Task[None] | None = None
        self._done = 0
        self._lanes = Lanes(settings.codec_threads)
        self._decoding = ThreadPoolExecutor(settings.codec_threads, thread_name_prefix="decoding")  # they only wait
        self._decoders = Decoders(settings.decode_seconds)
        metrics.watch(
            accepted=lambda: self._backlog.held("requests"),
            ready=lambda: self.state is State.READY,
            queue_depth=lambda: self._network.depth,
            queued_latents=lambda: self._backlog.held("latents"),
            queued_pixels=lambda: self._backlog.held("pixels"),
        )

    @property
    def state(self) -> State:
        unhealthy = self._state is State.READY and not self._canary.healthy
        return State.UNHEALTHY if unhealthy else self._state

    @property
    def info(self) -> ModelInfo:
        """Return what is loaded. Raises LoadingError or LoadFailedError while nothing is."""
        return self._loaded().info

    async def load(self, load: Load) -> None:
        """Load the model and warm it up, on its thread; then be ready. A failure is logged and kept as the state."""
        started = time.perf_counter()
        try:
            self._decoders.start()
            colorizer, canary = await self._network.call(load_and_warm_up, load, self._settings)
        except (ModelError, OSError) as error:  # its text says it all: missing or damaged weights, no such device
            log.error("load_failed", reason=str(error))
            self._state = State.FAILED
            return
        except Exception as error:  # whatever it is, the service answers health checks and says that it isn't ready
            log.exception("load_failed", reason=str(error))
            self._state = State.FAILED
            return
        self._colorizer = colorizer
        self._metrics.model_loaded(colorizer)
        if self._state is State.LOADING:
            self._state = State.READY
        self._watching = asyncio.create_task(self._canary.watch(colorizer, canary))
        self._giving_back = asyncio.create_task(
            give_back_regularly(lambda: self._done, lambda: self._backlog.held("requests") > 0)
        )
        log.info("ready", model=self.info.name, device=self.info.device, seconds=_since(started))

    def drain(self) -> None:
        """Accept no more requests; those accepted are finished."""
        if self._state is not State.FAILED:
            self._state = State.DRAINING

    def close(self) -> None:
        """Drop what has not begun and let the threads end."""
        for task in (self._watching, self._giving_back):
            if task is not None:
                task.cancel()
        self._network.close()
        self._lanes.close()
        self._decoding.shutdown(wait=False, cancel_futures=True)
        self._decoders.close()

    def check_ready(self) -> None:
        """Raise LoadingError, LoadFailedError, UnhealthyError or DrainingError unless requests are accepted."""
        self._loaded()
        if self.state is State.DRAINING:
            raise DrainingError("the service is stopping", RETRY_SECONDS)
        if self.state is State.UNHEALTHY:
            raise UnhealthyError("the model does not work; the log says why", math.ceil(self._canary.retry_seconds))

    @asynccontextmanager
    async def accept(self) -> AsyncIterator[Place]:
        """Hold a place among the accepted requests, and the deadline, around all of a request's work.

        Raises what `check_ready` raises, QueueFullError, or DeadlineError.
        """
        self.check_ready()
        deadline = asyncio.timeout(self._settings.deadline_seconds)
        try:
            with self._backlog.enter() as place:
                place.claim(requests=1)
                async with deadline:
                    yield place
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DeadlineError(f"not ready within {self._settings.deadline_seconds:g} seconds") from error
        finally:
            self._done += 1

    async def colorize(
        self,
        place: Place,
        endpoint: ColorEndpoint[ColorP],
        uploads: Mapping[str, bytes],
        parameters: ColorP,
        output_format: OutputFormat,
    ) -> Colorization:
        """Decode, colorize and encode one photo. Cancelled, it drops what its threads have not begun.

        Raises what `decode` raises, OutputSizeError, QueueFullError and ModelError.
        """
        colorizer = self._loaded()
        place.claim(latents=parameters.latents)
        options = endpoint.options(parameters)
        with self._network.coming():
            started = time.perf_counter()
            photos = await self._decode(uploads)
            photo, reference = photos["image"], photos.get("reference")
            decoded = _since(started)
            pixels = self._check_output(photo, parameters.samples, output_format)
            place.claim(pixels=pixels)
            started = time.perf_counter()
            lane = self._lanes.of(pixels)
            small = await lane.run(colorizer.shrink, photo.pixels)
            wanted = None if reference is None else await lane.run(colorizer.shrink, reference.pixels, True)
        drawn = await self._network.submit(colorizer.draw_all, DrawTask(small, options, wanted), parameters.latents)
        waited = _since(started) - sum(drawn.timings.values())

        def to_file(image: NDArray[np.uint8]) -> bytes:
            return encode(image, photo.alpha, output_format, parameters.output_compression)

        files = await lane.finish(colorizer.finish(photo.pixels, drawn), to_file)
        timings = {
            "decode": decoded,
            "queue": max(waited, 0.0),
            **drawn.timings,
            "upsample": files.upsample_seconds,
            "encode": files.encode_seconds,
        }
        self._metrics.samples.inc(len(files.data))
        self._count("colorized", endpoint, photo, timings, samples=len(files.data))
        facts = zip(drawn.indices, files.data, drawn.bits_per_dim, drawn.latent_norms, files.hints, strict=True)
        return Colorization(
            id=_new_id(endpoint),
            created=int(time.time()),
            model=colorizer.info.name,
            seed=parameters.seed,
            noise_seed=parameters.noise_seed if isinstance(parameters, VariationParameters) else None,
            temperature=drawn.temperature,
            width=photo.width,
            height=photo.height,
            output_format=output_format,
            samples=tuple(
                Sample(index, data, MEDIA_TYPES[output_format], bits_per_dim, latent_norm, matches)
                for index, data, bits_per_dim, latent_norm, matches in facts
            ),
            timings=timings,
        )

    async def likelihood(
        self, place: Place, endpoint: Endpoint[Any], uploads: Mapping[str, bytes]
    ) -> LikelihoodResponse:
        """Say how plausible a photo's own colours are. Raises what `decode` raises, QueueFullError and ModelError."""
        colorizer = self._loaded()
        place.claim(latents=1)
        with self._network.coming():
            started = time.perf_counter()
            photo = (await self._decode(uploads))["image"]
            decoded = _since(started)
            place.claim(pixels=photo.width * photo.height)
            started = time.perf_counter()
            small = await self._lanes.of(photo.width * photo.height).run(colorizer.shrink, photo.pixels, True)
        found = await self._network.submit(colorizer.score_all, small, 1)
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
        limit, loop = self._settings.max_pixels, asyncio.get_running_loop()
        work = (
            loop.run_in_executor(self._decoding, self._decoders.decode, upload, limit, name)
            for name, upload in uploads.items()
        )
        return dict(zip(uploads, await asyncio.gather(*work), strict=True))

    def _check_output(self, photo: DecodedPhoto, samples: int, output_format: OutputFormat) -> int:
        """Return how many pixels all samples have. Raises OutputSizeError for too many, or too long sides."""
        check_output_size(photo.width, photo.height, output_format)
        pixels, limit = samples * photo.width * photo.height, self._settings.max_output_pixels
        if pixels > limit:
            raise OutputSizeError(f"n: {samples} × {photo.width}×{photo.height} pixels are more than {limit}")
        return pixels

    async def in_codec_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Run work of pure bytes and pixels beside the event loop."""
        return await self._lanes.small.run(work, *arguments)

    def _loaded(self) -> Steps:
        if self._state is State.FAILED:
            raise LoadFailedError("the model could not be loaded; the log says why", FAILED_RETRY_SECONDS)
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


def load_and_warm_up(load: Load, settings: Settings) -> tuple[Steps, DrawTask]:
    """Return the model, and what to ask of it to see whether it works."""
    colorizer = load(settings)
    ramp = np.linspace(0, 255, WARM_UP_SIDE).astype(np.uint8)
    photo = np.tile(ramp, (WARM_UP_SIDE, 1))
    canary = DrawTask(colorizer.shrink(photo), SampleOptions(n=1, seed=0))
    (drawn,) = colorizer.draw_all([canary])
    for _ in colorizer.finish(photo, drawn):
        pass
    return colorizer, canary


def _new_id(endpoint: Endpoint[Any]) -> str:
    return f"{endpoint.name}-{uuid.uuid4().hex}"


def _since(started: float) -> float:
    return time.perf_counter() - started

"""Life cycle of the model (loading, ready, draining), and admission of requests."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from functools import partial

import numpy as np
import structlog

from model.errors import ModelError
from model.protocol import ModelInfo
from service.codecs.encoding import encode
from service.codecs.room import Room
from service.codecs.sandbox import SLOW_NICE, Decoders
from service.codecs.sandbox_limits import QUICK_PIXELS
from service.errors import DeadlineError, DrainingError, LoadFailedError, LoadingError, UnhealthyError
from service.loading import Load, load_and_warm_up
from service.memory import give_back_regularly
from service.network import InProcess, Network
from service.pipeline import Pipeline, Tools
from service.scheduling.backlog import Backlog
from service.scheduling.batching import Batcher
from service.scheduling.canary import Canary
from service.scheduling.lanes import Lanes
from service.scheduling.quick_first import QuickFirst
from service.settings import Settings
from service.telemetry.metrics import Metrics

__all__ = ["Engine", "State"]

RETRY_SECONDS = 5  # without a better estimate
FAILED_RETRY_SECONDS = 60

CANARY_SIDE = 64  # pixels
CANARY = encode(np.tile(np.arange(CANARY_SIDE, dtype=np.uint8)[:, None, None], (1, CANARY_SIDE, 3)), None, "png", 90)

log = structlog.get_logger()


class State(StrEnum):
    """State of the engine."""

    LOADING = "loading"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    FAILED = "failed"


class Engine:
    """Loads the model, checks its health, and accepts requests while it works."""

    def __init__(self, settings: Settings, metrics: Metrics, network: Network | None = None) -> None:
        """network: None runs the model in this process."""
        self._settings = settings
        self._metrics = metrics
        self._state = State.LOADING
        self._tools: Tools | None = None
        limits = {
            "requests": settings.queue_length,
            "bytes": settings.queue_bytes,
            "latents": settings.queue_latents,
            "pixels": settings.queue_pixels,
        }
        two_batches = {"latents": 2 * settings.batch_latents}
        self._backlog = Backlog(limits, settings.deadline_seconds, floors=two_batches, share=settings.queue_share)
        self._network = network or InProcess(
            Batcher(
                settings.batch_latents, settings.batch_wait_seconds, metrics.batch_size.observe, settings.batch_seconds
            )
        )
        self._canary = Canary(self._look, settings.canary_seconds, settings.deadline_seconds)
        self._tasks: list[asyncio.Task[None]] = []
        self._done = 0
        self._lanes = Lanes(settings.codec_threads, settings.max_pixels)
        self._decoding = ThreadPoolExecutor(settings.codec_threads, thread_name_prefix="decoding")  # they only wait
        self._quick_first = QuickFirst(settings.codec_threads)
        self._decoders = Decoders(settings.decode_seconds, Room(settings.max_pixels, QUICK_PIXELS), SLOW_NICE)
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
        """Return the loaded model. Raises LoadingError or LoadFailedError if there is none."""
        return self._loaded().steps.info

    async def load(self, load: Load, warm_up: bool = True) -> None:
        """Load the model and warm it up, on its thread; then be ready. A failure is logged and becomes the state."""
        started = time.perf_counter()
        try:
            self._decoders.start(quick=True)
            steps = await self._network.start(partial(load_and_warm_up, load, self._settings, warm_up))
        except Exception as error:  # after any error, the service answers health checks, as not ready
            # a ModelError's text is enough: missing or damaged weights, no such device
            write = log.error if isinstance(error, ModelError | OSError) else log.exception
            write("load_failed", reason=str(error))
            self._state = State.FAILED
            return
        self._tools = Tools(
            self._settings,
            self._metrics,
            steps,
            self._network,
            self._lanes,
            self._decoders,
            self._decoding,
            self._quick_first,
        )
        self._metrics.model_loaded(steps)
        if self._state is State.LOADING:
            self._state = State.READY
        giving_back = give_back_regularly(lambda: self._done, lambda: self._backlog.held("requests") > 0)
        self._tasks = [asyncio.create_task(work) for work in (self._canary.watch(), giving_back)]
        log.info("ready", model=self.info.name, device=self.info.device, seconds=time.perf_counter() - started)

    def drain(self) -> None:
        """Accept no more requests; finish the accepted ones."""
        if self._state is not State.FAILED:
            self._state = State.DRAINING

    def close(self) -> None:
        """Drop work that has not begun, and let the threads end."""
        for task in self._tasks:
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
            raise UnhealthyError(
                "the model fails its health check; see the service's log", math.ceil(self._canary.retry_seconds)
            )

    def check_alive(self) -> None:
        """Raise UnhealthyError once so many canaries have failed that only a restart can help."""
        if self._state is State.READY and self._canary.broken:
            raise UnhealthyError("the model keeps failing; the service needs a restart", FAILED_RETRY_SECONDS)

    async def _look(self) -> None:
        """Send a photo through the whole pipeline: a decoder, the network, and a lane.

        It skips the large lane, where it would wait behind large requests. Instead, both lanes are checked: no piece of
        a request's work may take longer than the whole request.
        """
        self._lanes.check(self._settings.deadline_seconds)
        backlog = Backlog({"pixels": CANARY_SIDE**2}, self._settings.deadline_seconds)  # its own, with room for it
        with backlog.enter() as place:
            await Pipeline(self._loaded(), place, asyncio.timeout(None), AsyncExitStack()).check(CANARY)

    @asynccontextmanager
    async def accept(self, owner: str = "") -> AsyncIterator[Pipeline]:
        """Hold a place among the accepted requests, and enforce the deadline, for all of a request's work.

        owner: the key or address that sends the request; each has a share of every limit.
        All requests enter here; the pipeline that it yields does the work.

        Raises the errors of `check_ready`, QueueFullError, or DeadlineError.
        """
        self.check_ready()
        tools = self._loaded()
        deadline = asyncio.timeout(self._settings.deadline_seconds)
        try:
            with self._backlog.enter(owner) as place:
                place.claim(requests=1)
                async with deadline, AsyncExitStack() as held:
                    pipeline = Pipeline(tools, place, deadline, held)
                    yield pipeline
        except TimeoutError as error:
            if not deadline.expired():
                raise
            seconds = f"{self._settings.deadline_seconds:g} seconds"
            if pipeline.is_answering:  # its client may be what is slow
                told = f"not made and read within {seconds} of being drawn; ask for fewer colorings, or read faster"
            elif not pipeline.is_uploaded:
                told = f"the upload was not complete within {seconds}; send a smaller file, or use a faster connection"
            else:
                told = f"not ready within {seconds}, upload included; ask for fewer colorings, or try again later"
            raise DeadlineError(told) from error
        finally:
            self._done += 1

    def _loaded(self) -> Tools:
        if self._state is State.FAILED:
            raise LoadFailedError("the model could not be loaded; see the service's log", FAILED_RETRY_SECONDS)
        if self._tools is None:
            raise LoadingError("the model is being loaded", RETRY_SECONDS)
        return self._tools

"""The service on a Ray cluster: `serve run service.cluster.serve:app`; needs the extra `ray`.

The routes are those of one process, in replicas that decode, upsample and encode on CPUs. The model is a separate
deployment, on GPUs if available: it gets photos at the network's size and returns small a*b* maps. A Serve
configuration, as in deploy/ray, sets the numbers of replicas and their resources.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import isqrt
from typing import Any, cast

import structlog
from fastapi import FastAPI
from ray import serve
from ray.exceptions import ObjectLostError, RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle
from ray.util.metrics import Histogram

from model.protocol import Colorizer, Drawn, DrawTask, Likelihood, ModelInfo, SmallPhoto
from service.app import create_app
from service.engine import State
from service.errors import QueueFullError, ReplicaLostError
from service.loading import load_and_warm_up, load_colorizer, small_task
from service.network import CHECK, InProcess
from service.scheduling.batching import Batcher
from service.settings import Settings, refuse_unknown
from service.telemetry import logs
from service.telemetry.metrics import BATCH_SIZES
from service.threads import run_on

__all__ = ["Ingress", "Model", "Replicas", "app"]

log = structlog.get_logger()

RETRY_SECONDS = 2
DEFAULTS = Settings.model_construct()
"""Default settings, without the environment. A configuration with another deadline must set the next two, too."""
DRAW_SECONDS = int(DEFAULTS.deadline_seconds) + 10
"""Longer than any work in progress at the model."""
ANSWER_SECONDS = int(DEFAULTS.answer_seconds) + 10
"""Longer than any accepted request, until its answer is read."""
LOST = (
    RayActorError,
    ReplicaUnavailableError,
    DeploymentUnavailableError,
    ObjectLostError,  # the node that held the answer was lost
)


@serve.deployment(
    max_ongoing_requests=32,
    max_queued_requests=256,  # more is 429
    autoscaling_config={"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 8},
    graceful_shutdown_timeout_s=DRAW_SECONDS,
    health_check_timeout_s=DRAW_SECONDS,  # the check waits behind work in progress
)
class Model:
    """The network, for requests of all ingress replicas; waiting requests share passes."""

    def __init__(self) -> None:
        refuse_unknown(os.environ)
        settings = Settings()
        logs.configure(settings.log_format)
        sizes = Histogram("tintflow_batch_size", "Latents in one batch of the model", boundaries=list(BATCH_SIZES))
        self._colorizer = load_and_warm_up(load_colorizer, settings)
        self._canary = small_task(self._colorizer)
        batcher = Batcher(settings.batch_latents, settings.batch_wait_seconds, sizes.observe, settings.batch_seconds)
        self._network = InProcess(batcher, self._colorizer)

    async def info(self) -> ModelInfo:
        return self._colorizer.info

    async def draw(self, task: DrawTask, latents: int, owner: str) -> Drawn:
        return await self._network.draw(task, latents, owner)

    async def score(self, photo: SmallPhoto, owner: str) -> Likelihood:
        return await self._network.score(photo, owner)

    async def check_health(self) -> None:
        """Draw a sample; if that fails, Ray replaces the replica."""
        await self._network.draw(self._canary, 1, CHECK)


@serve.deployment(
    max_ongoing_requests=512,  # more than TINTFLOW_QUEUE_LENGTH, which is the effective limit
    max_queued_requests=512,
    backpressure_config={"status_code": 429, "retry_after_s": RETRY_SECONDS},
    autoscaling_config={"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 16},
    graceful_shutdown_timeout_s=ANSWER_SECONDS,
)
@serve.ingress()
class Ingress:
    """The routes, and all work but the network's."""

    def __init__(self, model: DeploymentHandle[Model]) -> None:
        self._model = model
        self._app: FastAPI | None = None

    def __serve_build_asgi_app__(self) -> FastAPI:
        refuse_unknown(os.environ)
        settings = Settings()
        logs.configure(settings.log_format)
        log.info("starting", keys_required=settings.api_keys_file is not None)
        self._app = create_app(settings, partial(RemoteSteps, self._model), Replicas(self._model))
        return self._app

    def check_health(self) -> None:
        """Let Ray replace a replica that could not reach the model when it started. Raises RuntimeError."""
        if self._app is not None and self._app.state.engine.state is State.FAILED:
            raise RuntimeError("the engine has failed")


class RemoteSteps:
    """A colorizer that draws and scores in other replicas, and does the rest here; see `model.protocol.Colorizer`."""

    memory = None
    at_once = 1

    def __init__(self, model: DeploymentHandle[Model], settings: Settings) -> None:
        """Wait for the model."""
        from model.colorizer import Scaler  # late: it imports OpenCV

        self._model = model
        self.info: ModelInfo = model.info.remote().result()
        scaler = Scaler(isqrt(self.info.latents // 2))  # a* and b* together have as many values as latents
        self.shrink, self.finish = scaler.shrink, scaler.finish

    def prepare_rest(self) -> Iterator[None]:
        return iter(())

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        return [self._model.draw.remote(task, 1, CHECK).result() for task in tasks]

    def score_all(self, photos: Sequence[SmallPhoto]) -> list[Likelihood]:
        return [self._model.score.remote(photo, CHECK).result() for photo in photos]


class Replicas:
    """A network that runs in replicas of the model, not in this process; see `service.network.Network`."""

    def __init__(self, model: DeploymentHandle[Model]) -> None:
        self._model = model
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="remote")

    @property
    def depth(self) -> int:
        return self._waiting

    async def start(self, load: Callable[[], Colorizer]) -> Colorizer:
        """Wait, off the event loop, until the model answers."""
        return await run_on(self._thread, load)

    async def draw(self, task: DrawTask, latents: int, owner: str) -> Drawn:
        with self._asking():
            return await self._model.draw.remote(task, latents, owner)

    async def score(self, photo: SmallPhoto, owner: str) -> Likelihood:
        with self._asking():
            return await self._model.score.remote(photo, owner)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Count a waiting request. Raises the replica's errors, QueueFullError or ReplicaLostError."""
        self._waiting += 1
        try:
            yield
        except BackPressureError as error:
            raise QueueFullError("the queue of the model is full; retry later", RETRY_SECONDS) from error
        except LOST as error:
            raise ReplicaLostError("the replica at work on the request was lost; retry later", RETRY_SECONDS) from error
        except RayTaskError as error:
            raise error.cause from error
        finally:
            self._waiting -= 1

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Do nothing: replicas do not wait for requests that may go to another."""
        yield

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


app = cast(Any, Ingress).bind(cast(Any, Model).bind())

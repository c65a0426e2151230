"""The service's interface to the network: `draw` and `score`, in this process or elsewhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from model.options import InterpolationOptions
from model.protocol import Colorizer, Drawn, DrawTask, Likelihood, SmallPhoto
from service.scheduling.batching import TURN_LATENTS, Batcher
from service.scheduling.parts import join, part_of, samples_in_parts

__all__ = ["CHECK", "InProcess", "Network"]

CHECK = "check"
"""Owner of the service's own health checks."""


class Network(Protocol):
    """Draws and scores for many requests, whose owners take turns. Use it from one event loop."""

    @property
    def depth(self) -> int:
        """Number of waiting requests."""

    async def start(self, load: Callable[[], Colorizer]) -> Colorizer:
        """Load the model off the event loop. Call once, before anything is drawn."""

    async def draw(self, task: DrawTask, latents: int, owner: str) -> Drawn:
        """Draw a task's samples.

        latents: cost of the task. owner: the key or address that sent it.
        Raises the model's errors. If cancelled before its batch has begun, drops the task.
        """

    async def score(self, photo: SmallPhoto, owner: str) -> Likelihood:
        """Score a photo's own colors. Errors and cancellation are as in `draw`."""

    def coming(self) -> AbstractContextManager[None]:
        """Announce a request that will draw or score soon."""

    def close(self) -> None:
        """Drop work that has not begun."""


class InProcess:
    """The network in this process. Waiting requests share its passes; see Network."""

    def __init__(self, batcher: Batcher, steps: Colorizer | None = None) -> None:
        """Take the loaded model as `steps` if `start` is not needed."""
        self._batcher = batcher
        self._steps = steps
        if steps is not None:
            batcher.at_once = steps.at_once

    @property
    def depth(self) -> int:
        return self._batcher.depth

    async def start(self, load: Callable[[], Colorizer]) -> Colorizer:
        self._steps = await self._batcher.call(load)
        self._batcher.at_once = self._steps.at_once
        return self._steps

    async def draw(self, task: DrawTask, latents: int, owner: str) -> Drawn:
        """Draw a task's samples, in a batch with others; see Network. Beside others, as many at a time as fit one."""
        run, samples = self._loaded().draw_all, samples_in_parts(task.options)
        if isinstance(task.options, InterpolationOptions):
            return await self._batcher.submit(run, task, latents, owner)
        cost, start, parts = latents / samples, 0, list[Drawn]()
        while start < samples:
            most = self._batcher.most_latents(owner, CHECK) / cost
            count = min(samples - start, max(TURN_LATENTS, int(min(most, samples))))
            part = task if count == samples else part_of(task, start, count)
            parts.append(await self._batcher.submit(run, part, round(count * cost), owner))
            start += count
        return parts[0] if len(parts) == 1 else join(parts, task.options)

    async def score(self, photo: SmallPhoto, owner: str) -> Likelihood:
        return await self._batcher.submit(self._loaded().score_all, photo, 1, owner)

    def coming(self) -> AbstractContextManager[None]:
        return self._batcher.coming()

    def close(self) -> None:
        self._batcher.close()

    def _loaded(self) -> Colorizer:
        if self._steps is None:
            raise RuntimeError("the network was not started")
        return self._steps

"""A small inference from time to time, which tells whether the model still works."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from model.protocol import Drawn, DrawTask
from service.errors import RetryLaterError

__all__ = ["Canary"]

Draw = Callable[[DrawTask, int], Awaitable[Drawn]]
AGAIN_SECONDS = 5.0
"""After a failure; a shorter interval stays."""

log = structlog.get_logger()


class Canary:
    """Draws one sample every so often, the way that every request goes."""

    def __init__(self, draw: Draw, interval_seconds: float, patience_seconds: float) -> None:
        """draw: of the network. patience_seconds: after which having no answer is a failure."""
        self._draw = draw
        self._interval = interval_seconds
        self._patience = patience_seconds
        self.healthy = True

    @property
    def retry_seconds(self) -> float:
        """When to look again, where the model does not work."""
        return min(AGAIN_SECONDS, self._interval)

    async def watch(self, task: DrawTask) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval if self.healthy else self.retry_seconds)
            await self._look(task)

    async def _look(self, task: DrawTask) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._draw(task, 1)
        except RetryLaterError:
            pass  # busy, which tells nothing of the model
        except Exception as error:  # whatever it is, it would have been a request's answer
            if self.healthy:
                log.error("canary_failed", reason=f"{type(error).__name__}: {error}")
            self.healthy = False
        else:
            if not self.healthy:
                log.info("canary_recovered")
            self.healthy = True

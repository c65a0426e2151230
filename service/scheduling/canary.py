"""A small photo that is colorized from time to time, which tells whether the service still works."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.errors import QueueFullError, ReplicaLostError

__all__ = ["Canary"]

AGAIN_SECONDS = 5.0
"""After a failure; a shorter interval stays."""
MAX_FAILURES = 5
"""Failures in a row after which the service does not mend itself any more."""

log = structlog.get_logger()


class Canary:
    """Sends a photo the way of every request, every so often."""

    def __init__(self, look: Callable[[], Awaitable[None]], interval_seconds: float, patience_seconds: float) -> None:
        """look: goes the whole way, or raises. patience_seconds: after which having no answer is a failure."""
        self._look = look
        self._interval = interval_seconds
        self._patience = patience_seconds
        self._failures = 0

    @property
    def healthy(self) -> bool:
        """Whether the last look succeeded."""
        return self._failures == 0

    @property
    def broken(self) -> bool:
        """Whether so many failed one after the other that a restart is the only hope."""
        return self._failures >= MAX_FAILURES

    @property
    def retry_seconds(self) -> float:
        """When to look again, where the service does not work."""
        return min(AGAIN_SECONDS, self._interval)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval if self.healthy else self.retry_seconds)
            await self._look_once()

    async def _look_once(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._look()
        except (QueueFullError, ReplicaLostError):
            pass  # busy, which tells nothing
        except Exception as error:  # whatever it is, it would have been a request's answer
            if self.healthy:
                log.error("canary_failed", reason=f"{type(error).__name__}: {error}")
            self._failures += 1
        else:
            if not self.healthy:
                log.info("canary_recovered")
            self._failures = 0

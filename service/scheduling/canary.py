"""Canary: a small photo that is colorized periodically, to check that the service works."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.errors import QueueFullError, ReplicaLostError

__all__ = ["Canary"]

AGAIN_SECONDS = 5.0
"""Interval after a failure, unless the usual one is shorter."""
MAX_FAILURES = 5
"""Consecutive failures after which only a restart can help."""

log = structlog.get_logger()


class Canary:
    """Sends a photo through the pipeline of requests, periodically."""

    def __init__(self, look: Callable[[], Awaitable[None]], interval_seconds: float, patience_seconds: float) -> None:
        """look: one check, which raises on failure. patience_seconds: time without an answer that counts as failure."""
        self._look = look
        self._interval = interval_seconds
        self._patience = patience_seconds
        self._failures = 0

    @property
    def healthy(self) -> bool:
        """Whether the last check succeeded."""
        return self._failures == 0

    @property
    def broken(self) -> bool:
        """Whether so many checks failed in a row that only a restart can help."""
        return self._failures >= MAX_FAILURES

    @property
    def retry_seconds(self) -> float:
        """Seconds until the next check while the service does not work."""
        return min(AGAIN_SECONDS, self._interval)

    async def watch(self) -> None:
        """Check periodically, until cancelled."""
        while True:
            await asyncio.sleep(self._interval if self.healthy else self.retry_seconds)
            await self._look_once()

    async def _look_once(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._look()
        except (QueueFullError, ReplicaLostError):
            pass  # busy: neither success nor failure
        except Exception as error:  # any error would have been a request's answer
            if self.healthy:
                log.error("canary_failed", reason=f"{type(error).__name__}: {error}")
            self._failures += 1
        else:
            if not self.healthy:
                log.info("canary_recovered")
            self._failures = 0

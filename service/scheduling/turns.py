"""Turns: no owner, a key or an address, does more at once than its share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """Up to so many pieces of work at once for each owner; others of the same owner wait, first come, first served."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._turns: dict[str, tuple[asyncio.Semaphore, int]] = {}

    def must_wait(self, owner: str) -> bool:
        """Whether an owner's next piece of work would wait."""
        return owner in self._turns and self._turns[owner][0].locked()

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        semaphore, users = self._turns.get(owner) or (asyncio.Semaphore(self._at_once), 0)
        self._turns[owner] = semaphore, users + 1
        try:
            async with semaphore:
                yield
        finally:
            _, users = self._turns[owner]
            if users == 1:
                del self._turns[owner]  # owners come and go
            else:
                self._turns[owner] = semaphore, users - 1

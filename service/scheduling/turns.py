"""Turns: a limit on each owner's (key's or address's) work at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """A number of pieces of work at once for each owner; further pieces of the same owner wait in FIFO order."""

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
                del self._turns[owner]  # forget idle owners
            else:
                self._turns[owner] = semaphore, users - 1

"""Quick first: slow files wait for each other, and no quick file waits for a slow one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from enum import Enum
from typing import TypeVar

from service.errors import LargePhotoError, SlowFileError
from service.scheduling.turns import Turns

__all__ = ["MEMORY_SECONDS", "QuickFirst", "Try"]

MEMORY_SECONDS = 300.0
"""Time for which an owner counts as slow or quick after such a file."""

T = TypeVar("T")


class Try(Enum):
    """Time allowed for decoding a file."""

    FIRST = "first"
    BRIEF = "brief"
    WHOLE = "whole"


class QuickFirst:
    """Shares the decoders among files, so that slow files never hold all of them, however many owners send them.

    Each file has a short first try. A file that fails it is slow: it starts again with its full time, and slow files
    share half of the decoders. The header cannot replace the try, because it does not tell the cost of decoding in
    eight formats. For MEMORY_SECONDS, the owner of a slow file gets brief first tries, and all such owners together one
    at a time; else an owner could keep the other decoders busy with them. Only a file's own processor time makes its
    owner slow. With three or more decoders, one is reserved for owners whose files were quick lately, so if very many
    new owners come at once, they wait. With one decoder, all files share it: a slow file holds it to its end, but two
    slow files never follow each other while others wait.
    """

    def __init__(self, decoders: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the number of decoders. One owner may use half of them for first tries, and one for a slow file."""
        half = max(1, decoders // 2)
        self._decoders, self._slow = asyncio.Semaphore(decoders), asyncio.Semaphore(half)
        self._unknown = asyncio.Semaphore(decoders - 1 if decoders > 2 else decoders)
        self._brief = asyncio.Semaphore(1)
        self._turns, self._slow_turns = Turns(half), Turns(1)
        self._slow_owners, self._quick_owners = _Lately(clock), _Lately(clock)

    async def run(self, decode: Callable[[Try], Awaitable[T]], owner: str) -> T:
        """Call `decode` with the time that the file has, and return its result.

        If a first try raises SlowFileError or LargePhotoError, calls it a second time. Raises all other errors.
        owner: the key or address that sent the file.
        """
        with suppress(SlowFileError, LargePhotoError):
            async with self._turns.turn(owner):
                return await self._first_try(decode, owner)
        async with self._slow_turns.turn(owner), self._slow, self._unknown, self._decoders:
            return await decode(Try.WHOLE)

    def mark(self, owner: str) -> None:
        """Treat an owner as slow for MEMORY_SECONDS from now."""
        self._slow_owners.add(owner)  # stronger than having been quick before

    async def _first_try(self, decode: Callable[[Try], Awaitable[T]], owner: str) -> T:
        if owner in self._slow_owners:
            async with self._brief, self._unknown, self._decoders:
                return await decode(Try.BRIEF)
        async with nullcontext() if owner in self._quick_owners else self._unknown, self._decoders:
            try:
                result = await decode(Try.FIRST)
            except SlowFileError:
                self.mark(owner)
                raise
            self._quick_owners.add(owner)
            return result


class _Lately:
    """Owners that were added in the last MEMORY_SECONDS."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        """in the order in which they end"""

    def add(self, owner: str) -> None:
        now = self._clock()
        self._until.pop(owner, None)
        self._until[owner] = now + MEMORY_SECONDS
        while self._until[first := next(iter(self._until))] <= now:
            del self._until[first]

    def __contains__(self, owner: str) -> bool:
        return self._until.get(owner, 0.0) > self._clock()

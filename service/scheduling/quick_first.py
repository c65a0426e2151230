"""Quick first: files that take long to decode wait for each other, and no other file waits for them."""

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
"""How long it is remembered that an owner's file took too long, or that one was quick."""

T = TypeVar("T")


class Try(Enum):
    """How much time a file has."""

    FIRST = "first"
    BRIEF = "brief"
    WHOLE = "whole"


class QuickFirst:
    """Shares the decoders among files, so that slow ones never hold all of them, from however many owners they come.

    Each file has a short first try. A file that fails it is slow: it begins anew, with all of its time, where all slow
    files share half of the decoders. A header could not replace the try, because it does not say what decoding costs
    in eight formats. For MEMORY_SECONDS, first tries of that owner are brief, and one at a time, whoever's they are;
    else an owner could keep the rest of the decoders busy with them. Only a file's own processor time makes its owner
    slow. Where there are three decoders and more, one is left to owners whose files were quick lately: who comes for
    the first time waits, if very many do at once. Where one file is decoded at a time, all share that place: a slow
    file holds it to its end, but never two in a row while others wait.
    """

    def __init__(self, decoders: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the number of decoders. One owner has first tries in half of them, and one slow file, at once."""
        half = max(1, decoders // 2)
        self._decoders, self._slow = asyncio.Semaphore(decoders), asyncio.Semaphore(half)
        self._unknown = asyncio.Semaphore(decoders - 1 if decoders > 2 else decoders)
        self._brief = asyncio.Semaphore(1)
        self._turns, self._slow_turns = Turns(half), Turns(1)
        self._slow_owners, self._quick_owners = _Lately(clock), _Lately(clock)

    async def run(self, decode: Callable[[Try], Awaitable[T]], owner: str) -> T:
        """Return what `decode` returns, which is told how much time the file has.

        A first try that raises SlowFileError or LargePhotoError is followed by a second call. All other errors are
        raised. owner: whose file it is: a key or an address.
        """
        with suppress(SlowFileError, LargePhotoError):
            async with self._turns.turn(owner):
                return await self._first_try(decode, owner)
        async with self._slow_turns.turn(owner), self._slow, self._unknown, self._decoders:
            return await decode(Try.WHOLE)

    def mark(self, owner: str) -> None:
        """Count an owner's files as slow from now on, for MEMORY_SECONDS."""
        self._slow_owners.add(owner)  # which outlasts that the owner was quick before

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
    """Owners of whom something was true in the last MEMORY_SECONDS."""

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

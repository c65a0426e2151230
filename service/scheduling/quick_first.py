"""Quick first: files that take long to decode wait for each other, and no other file waits for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from service.errors import LargePhotoError, SlowFileError
from service.scheduling.turns import Turns

__all__ = ["SLOW_OWNER_SECONDS", "QuickFirst"]

SLOW_OWNER_SECONDS = 300.0
"""How long an owner gets no first tries after one that took too long."""

T = TypeVar("T")


class QuickFirst:
    """Shares the decoders among files, so that slow ones never hold all of them, from however many owners they come.

    Each file has a short first try. A file that fails it is slow: it begins anew, with all of its time, where all slow
    files share half of the decoders. A header could not replace the try, because it does not say what decoding costs
    in eight formats. For SLOW_OWNER_SECONDS, the other files of that owner count as slow without a try; else an owner
    could keep the rest of the decoders busy with first tries. Only a file's own processor time makes its owner slow.
    Where one file is decoded at a time, both kinds share that place: a slow file holds it to its end, but never two
    in a row while others wait.
    """

    def __init__(self, decoders: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the number of decoders. One owner has first tries in half of them, and one slow file, at once."""
        half = max(1, decoders // 2)
        self._decoders, self._slow = asyncio.Semaphore(decoders), asyncio.Semaphore(half)
        self._turns, self._slow_turns = Turns(half), Turns(1)
        self._clock = clock
        self._slow_until: dict[str, float] = {}
        """end of SLOW_OWNER_SECONDS of each owner"""

    async def run(self, decode: Callable[[bool], Awaitable[T]], owner: str) -> T:
        """Return what `decode` returns, which is told whether this is a first try.

        A first try that raises SlowFileError or LargePhotoError is followed by a second call. All other errors are
        raised. owner: whose file it is: a key or an address.
        """
        with suppress(SlowFileError, LargePhotoError):
            async with self._turns.turn(owner):
                if not self._is_slow(owner):
                    async with self._decoders:
                        return await self._first_try(decode, owner)
        async with self._slow_turns.turn(owner), self._slow, self._decoders:
            return await decode(False)

    def mark(self, owner: str) -> None:
        """Count an owner's files as slow from now on, for SLOW_OWNER_SECONDS."""
        now = self._clock()
        self._slow_until = {other: until for other, until in self._slow_until.items() if until > now}
        self._slow_until[owner] = now + SLOW_OWNER_SECONDS

    async def _first_try(self, decode: Callable[[bool], Awaitable[T]], owner: str) -> T:
        try:
            return await decode(True)
        except SlowFileError:
            self.mark(owner)
            raise

    def _is_slow(self, owner: str) -> bool:
        return self._slow_until.get(owner, 0.0) > self._clock()

"""Return of freed memory to the system: malloc keeps some in every thread's arena, and more over time."""

import ctypes
import time
from collections.abc import Callable

__all__ = ["give_back", "give_back_regularly"]

LOOK_SECONDS = 1.0
LONGEST_SECONDS = 30.0
"""Interval under constant load; an idle service returns memory earlier."""


def give_back() -> None:
    """Let malloc return its free memory. Only GNU's needs the call."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)


async def give_back_regularly(done: Callable[[], int], busy: Callable[[], bool]) -> None:
    """Return memory after work, as soon as the service is idle or every LONGEST_SECONDS, until cancelled.

    done: returns the number of finished requests. busy: says whether any is at work.
    """
    import asyncio  # late: decoders use this module without asyncio

    before, last = done(), time.monotonic()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = done()
        if now != before and (not busy() or time.monotonic() - last > LONGEST_SECONDS):
            before = now
            await asyncio.to_thread(give_back)
            last = time.monotonic()

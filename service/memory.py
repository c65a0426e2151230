"""Memory that was freed goes back to the system: malloc keeps some in every thread's arena, and more with time."""

import ctypes
import time
from collections.abc import Callable

__all__ = ["give_back", "give_back_regularly"]

LOOK_SECONDS = 1.0
LONGEST_SECONDS = 30.0
"""Between two times under constant load; a service at rest does not wait so long."""


def give_back() -> None:
    """Let malloc give back what it holds free; only GNU's has to be told."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)


async def give_back_regularly(done: Callable[[], int], busy: Callable[[], bool]) -> None:
    """Give back after work, as soon as nothing is at work, or every LONGEST_SECONDS; until cancelled.

    done: how many requests have come to an end. busy: whether any is at work.
    """
    import asyncio  # late: decoders, which give back too, need none of it

    before, last = done(), time.monotonic()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = done()
        if now != before and (not busy() or time.monotonic() - last > LONGEST_SECONDS):
            before = now
            await asyncio.to_thread(give_back)
            last = time.monotonic()

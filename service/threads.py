"""Work on threads, off the event loop, and their niceness: on busy processors, other threads go first."""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from threading import get_native_id
from typing import TypeVar

__all__ = ["be_nice", "run_on"]

T = TypeVar("T")


def run_on(threads: Executor, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
    """Run work on a thread. Its StopIteration becomes a RuntimeError, as a generator's does (PEP 479).

    Up to Python 3.12, a future that gets a StopIteration never ends, and its waiters wait for ever.
    """
    return asyncio.get_running_loop().run_in_executor(threads, _run, work, *arguments)


def be_nice(nice: int) -> None:
    """Raise the niceness of this thread, and of those that it starts later, if the system allows it per thread."""
    if nice and sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + nice)


def _run(work: Callable[..., T], *arguments: object) -> T:
    try:
        return work(*arguments)
    except StopIteration as error:
        raise RuntimeError("work on a thread raised StopIteration") from error

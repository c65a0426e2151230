"""Niceness of single threads: where processors are busy, others go first."""

import os
import sys
from contextlib import suppress
from threading import get_native_id

__all__ = ["be_nice"]


def be_nice(nice: int) -> None:
    """Make this thread, and those that it starts later, nicer, where threads can be."""
    if nice and sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + nice)

"""Seconds of each step of a photo's way."""

import time
from collections.abc import Callable

__all__ = ["Timer"]


class Timer:
    """Takes the time from one stop to the next, with all that a GPU still has to do."""

    def __init__(self, wait: Callable[[], None]) -> None:
        """wait: for the device; see `Runtime.wait`."""
        self.seconds: dict[str, float] = {}
        self._wait = wait
        self._last = time.perf_counter()

    def stop(self, step: str) -> None:
        """End a step and give it a name."""
        self._wait()
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now

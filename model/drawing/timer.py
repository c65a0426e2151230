"""Seconds of each step of a photo's way."""

import time

import torch

__all__ = ["Timer"]


class Timer:
    """Takes the time from one stop to the next, with all that a GPU still has to do."""

    def __init__(self, device: str) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._last = time.perf_counter()

    def stop(self, step: str) -> None:
        """End a step and give it a name."""
        if self._device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now

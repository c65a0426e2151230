"""Helpers that run a training loop for some steps, or stop it at one."""

import signal
from typing import Any

import numpy as np
import pytest
import torch

from training.loop import Trainer

__all__ = ["send", "steps", "stop_after"]


def steps(loop: Trainer[Any], count: int) -> None:
    """Take steps on batches of 8."""
    generator = torch.Generator().manual_seed(0)
    batches = loop.dataset.batches(8, np.random.default_rng(0))
    for _ in range(count):
        loop._step(next(batches), generator)


def send(number: signal.Signals) -> None:
    """Call the current handler of the signal, without the kernel.

    On processors with AMX, a real signal sometimes killed a test process that had loaded OpenVINO and trained in
    bfloat16. A training in its own process handles signals there, too, as its test shows.
    """
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


def stop_after(loop: Trainer[Any], step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SIGTERM handled after a step."""
    take = loop._step

    def take_and_stop(*arguments: Any) -> None:
        take(*arguments)
        if loop.history.step == step:
            send(signal.SIGTERM)

    monkeypatch.setattr(loop, "_step", take_and_stop)

"""Training loops driven by hand: so many steps, or stopped at one."""

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
    """Have the signal handled as it is now, without the kernel.

    On processors with AMX, a signal sometimes ended a process of the tests that had loaded OpenVINO and trained in
    bfloat16. A training of its own heeds it there, too, as its test shows.
    """
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


def stop_after(loop: Trainer[Any], step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SIGTERM handled once a step is done."""
    take = loop._step

    def take_and_stop(*arguments: Any) -> None:
        take(*arguments)
        if loop.history.step == step:
            send(signal.SIGTERM)

    monkeypatch.setattr(loop, "_step", take_and_stop)

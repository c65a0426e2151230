"""Training loops driven by hand: so many steps, or stopped at one."""

import os
import signal
from typing import Any

import numpy as np
import pytest
import torch

from training.loop import Trainer

__all__ = ["steps", "stop_after"]


def steps(loop: Trainer[Any], count: int) -> None:
    """Take steps on batches of 8."""
    generator = torch.Generator().manual_seed(0)
    batches = loop.dataset.batches(8, np.random.default_rng(0))
    for _ in range(count):
        loop._step(next(batches), generator)


def stop_after(loop: Trainer[Any], step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process SIGTERM once a step is done."""
    take = loop._step

    def take_and_stop(*arguments: Any) -> None:
        take(*arguments)
        if loop.history.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop, "_step", take_and_stop)

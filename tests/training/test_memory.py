"""Memory of a process that trains."""

import resource
import sys

import pytest
import torch

from training.memory import keep_freed_memory

SIZE = 100 * 2**20  # more than glibc keeps by itself


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
def test_freed_memory_serves_the_next_tensor() -> None:
    keep_freed_memory()
    _fill()
    before = _faults()
    for _ in range(5):
        _fill()
    assert _faults() - before < SIZE // resource.getpagesize() / 10


def _fill() -> None:
    torch.empty(SIZE, dtype=torch.uint8).fill_(1)


def _faults() -> int:
    """Return how many pages the system has given to this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

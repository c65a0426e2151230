"""Memory of a training process."""

import platform
import resource

import pytest
import torch

from training.memory import keep_freed_memory

SIZE = 100 * 2**20  # more than glibc keeps by default


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have no mallopt")
def test_freed_memory_serves_the_next_tensor() -> None:
    keep_freed_memory()
    _fill()
    before = _faults()
    for _ in range(5):
        _fill()
    assert _faults() - before < SIZE // resource.getpagesize() / 1000


def _fill() -> None:
    torch.empty(SIZE, dtype=torch.uint8).fill_(1)


def _faults() -> int:
    """Return the number of page faults of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

"""Memory of a training process."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource

import numpy as np

from training.memory import keep_freed_memory

def fill():
    np.empty(size, np.uint8).fill(1)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

size = 100 * 2**20  # more than glibc keeps by default
keep_freed_memory()
fill()
before = faults()
for _ in range(5):
    fill()
assert faults() - before < size // resource.getpagesize() / 1000
"""
"""in a process of its own, since it goes on keeping memory"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have no mallopt")
def test_freed_memory_serves_the_next_array() -> None:
    subprocess.run([sys.executable, "-c", FAULTS], check=True)  # noqa: S603 - our own words

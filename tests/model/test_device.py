"""Memory of the device that the model runs on."""

import sys

import pytest
import torch

from model.device import device_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process's memory")
def test_memory_of_the_cpu_grows_with_what_is_held() -> None:
    before = device_memory("cpu")
    held = torch.ones(25_000_000)  # 100 MB, written to, so that it is resident
    after = device_memory("cpu")
    assert after.used_bytes - before.used_bytes > held.nbytes * 0.9  # the allocator may reuse a little
    assert 0 < after.used_bytes < after.total_bytes == before.total_bytes

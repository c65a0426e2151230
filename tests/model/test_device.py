"""The device that the model runs on, and its memory."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from model import device
from model.device import choose_device, device_memory
from model.errors import InputError


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process's memory")
def test_memory_of_the_cpu_grows_with_what_is_held() -> None:
    before = device_memory("cpu")
    held = np.ones(100_000_000, np.float32)  # 400 MB, written to, so that it is resident
    after = device_memory("cpu")
    assert after.used_bytes - before.used_bytes > held.nbytes / 2  # other memory may be freed meanwhile
    assert 0 < after.used_bytes < after.total_bytes == before.total_bytes


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch, there: bool, device: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    monkeypatch.setattr("model.device._has_driver", lambda: True)
    assert [choose_device(name) for name in ("cpu", "auto")] == ["cpu", device]
    with nullcontext() if there else pytest.raises(InputError, match="on a machine without one"):
        assert choose_device("cuda") == "cuda"
    with pytest.raises(InputError, match="device"):
        choose_device("tpu")


def test_without_a_driver_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: 1 / 0)
    monkeypatch.setattr("model.device.DRIVERS", ("libno-such-driver.so.1",))
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(InputError, match="on a machine without one"):
        choose_device("cuda")


def test_without_torch_a_gpu_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("model.device._has_driver", lambda: True)
    assert choose_device("auto") == "cpu"
    with pytest.raises(InputError, match=r"pip install 'tintflow\[gpu\]'"):
        choose_device("cuda")


@pytest.mark.parametrize(("variable", "threads"), [("3", 3), ("2,1", 2), ("", 3), ("all", 3), ("0", 3)])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which processors a process may run on")
def test_threads_are_those_asked_for_or_the_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, threads: int
) -> None:
    for processor, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):  # two cores of two hyperthreads
        (tmp_path / f"cpu{processor}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{processor}/topology/thread_siblings_list").write_text(siblings)
    monkeypatch.setattr(device, "SIBLINGS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 9})  # processor 9 has no entry
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert device._threads() == threads

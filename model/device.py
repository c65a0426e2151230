"""The device that the network runs on, its memory and its threads."""

import ctypes
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from model.errors import TORCH_MISSING, InputError
from model.protocol import DeviceMemory

__all__ = ["THREADS", "choose_device", "device_memory", "lacks_torch"]

DEVICES = ("auto", "cpu", "cuda")
DRIVERS = ("libcuda.so.1", "nvcuda.dll", "libamdhip64.so")
"""Libraries that come with a GPU's driver: NVIDIA's on Linux and on Windows, and AMD's."""

SIBLINGS = Path("/sys/devices/system/cpu")
"""Where Linux says which processors are hyperthreads of one core."""


def _threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = [SIBLINGS / f"cpu{n}/topology/thread_siblings_list" for n in os.sched_getaffinity(0)]
    return len({path.read_text() if path.is_file() else str(path) for path in siblings})


THREADS = _threads()
"""Threads that this process may use at a time: OMP_NUM_THREADS, or the cores that it may run on."""


def choose_device(name: str) -> str:
    """Turn `auto` into `cuda` where there is a GPU, else `cpu`. Raises InputError for a device that is not there."""
    if name not in DEVICES:
        raise InputError("device", f"one of {', '.join(DEVICES)}", name)
    if name == "cpu":
        return name
    if name == "cuda" and find_spec("torch") is None:
        raise InputError("device", f"cpu, or auto; {TORCH_MISSING}", "cuda without torch")
    found = _has_cuda()
    if name == "cuda" and not found:
        raise InputError("device", "a CUDA device, or auto", "cuda on a machine without one")
    return "cuda" if found else "cpu"


def lacks_torch() -> bool:
    """Whether there is a GPU's driver, but no torch, without which no GPU is used."""
    return find_spec("torch") is None and _has_driver()


def _has_cuda() -> bool:
    """Ask torch, but only where it is installed and there is a GPU's driver: importing it takes more than a second."""
    if find_spec("torch") is None or not _has_driver():
        return False
    import torch

    return torch.cuda.is_available()


def _has_driver() -> bool:
    if Path("/dev/kfd").exists():  # AMD's; torch brings the library itself
        return True
    for library in DRIVERS:
        with suppress(OSError):
            ctypes.CDLL(library)
            return True
    return False


def device_memory(device: str) -> DeviceMemory:
    """Return what this process uses of a device's memory, and what there is in all; Linux alone tells of a CPU's."""
    if device == "cuda":
        import torch  # late: on a CPU, none is needed

        _, total = torch.cuda.mem_get_info()
        return DeviceMemory(torch.cuda.memory_reserved(), total)
    page = os.sysconf("SC_PAGE_SIZE")
    statm = Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) if statm.exists() else 0
    return DeviceMemory(resident * page, os.sysconf("SC_PHYS_PAGES") * page)

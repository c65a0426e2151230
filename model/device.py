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
"""Libraries of GPU drivers: NVIDIA's on Linux and Windows, and AMD's."""

SIBLINGS = Path("/sys/devices/system/cpu")
"""Folder in which Linux says which processors are hyperthreads of one core."""


def _threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = [SIBLINGS / f"cpu{n}/topology/thread_siblings_list" for n in os.sched_getaffinity(0)]
    return len({path.read_text() if path.is_file() else str(path) for path in siblings})


THREADS = _threads()
"""Number of threads for this process: OMP_NUM_THREADS, or the cores that it may use."""


def choose_device(name: str) -> str:
    """Turn `auto` into `cuda` if there is a GPU, else `cpu`. Raises InputError for a missing device."""
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
    """Say whether a GPU cannot be used because there is a driver, but no torch."""
    return find_spec("torch") is None and _has_driver()


def _has_cuda() -> bool:
    """Ask torch for a GPU, but only if torch and a GPU driver are installed: importing torch takes over a second."""
    if find_spec("torch") is None or not _has_driver():
        return False
    import torch

    return torch.cuda.is_available()


def _has_driver() -> bool:
    if Path("/dev/kfd").exists():  # AMD's driver; torch includes its library
        return True
    for library in DRIVERS:
        with suppress(OSError):
            ctypes.CDLL(library)
            return True
    return False


def device_memory(device: str) -> DeviceMemory:
    """Return a device's memory: used by this process, and in total. A CPU's is known only on Linux."""
    if device == "cuda":
        import torch  # late: not needed on a CPU

        _, total = torch.cuda.mem_get_info()
        return DeviceMemory(torch.cuda.memory_reserved(), total)
    page = os.sysconf("SC_PAGE_SIZE")
    statm = Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) if statm.exists() else 0
    return DeviceMemory(resident * page, os.sysconf("SC_PHYS_PAGES") * page)

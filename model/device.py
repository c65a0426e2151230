"""Where the network runs."""

import os
from pathlib import Path

import torch

from model.errors import InputError
from model.protocol import DeviceMemory

__all__ = ["choose_device", "device_memory"]

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> str:
    """Turn `auto` into `cuda` where there is a GPU, else `cpu`. Raises InputError for a device that is not there."""
    if name not in DEVICES:
        raise InputError("device", f"one of {', '.join(DEVICES)}", name)
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "a CUDA device, or auto", "cuda on a machine without one")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def device_memory(device: str) -> DeviceMemory:
    """Return what this process uses of a device's memory, and what there is in all; Linux alone tells of a CPU's."""
    if device == "cuda":
        _, total = torch.cuda.mem_get_info()
        return DeviceMemory(torch.cuda.memory_reserved(), total)
    page = os.sysconf("SC_PAGE_SIZE")
    statm = Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) if statm.exists() else 0
    return DeviceMemory(resident * page, os.sysconf("SC_PHYS_PAGES") * page)

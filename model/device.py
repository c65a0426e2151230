"""The device that the network runs on, its memory and its threads."""

import os
from pathlib import Path

import torch

from model.errors import InputError
from model.protocol import DeviceMemory

__all__ = ["THREADS", "choose_device", "device_memory", "one_thread_each"]

THREADS = torch.get_num_threads()
"""Threads that this process may use at a time: its cores, or OMP_NUM_THREADS."""
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


def one_thread_each() -> None:
    """Let every operation in this process take one thread alone.

    For a process that computes much side by side: several threads of one operation wait for each other, spinning, and
    take many times as long on cores that other programs use too.
    """
    torch.set_num_threads(1)


def device_memory(device: str) -> DeviceMemory:
    """Return what this process uses of a device's memory, and what there is in all; Linux alone tells of a CPU's."""
    if device == "cuda":
        _, total = torch.cuda.mem_get_info()
        return DeviceMemory(torch.cuda.memory_reserved(), total)
    page = os.sysconf("SC_PAGE_SIZE")
    statm = Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) if statm.exists() else 0
    return DeviceMemory(resident * page, os.sysconf("SC_PHYS_PAGES") * page)

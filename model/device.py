"""Where the network runs."""

import torch

from model.errors import InputError

__all__ = ["choose_device"]

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

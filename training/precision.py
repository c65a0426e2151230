"""The precision in which networks are trained: bfloat16 where the device computes in it, else float32."""

from functools import cache

import torch

__all__ = ["mixed_precision"]

BFLOAT16 = ("amx_bf16", "avx512_bf16", "bf16", "arm_bf16")
"""What `torch.cpu.get_capabilities` calls instructions for it."""


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return a context in which convolutions and matrix products run in bfloat16, where that is faster.

    A CPU without instructions for bfloat16 imitates it, at a seventh of the speed of float32: there it changes nothing.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type != "cpu" or _cpu_has_bfloat16())


@cache
def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in BFLOAT16)

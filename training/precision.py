"""The precision of training: bfloat16 if the device computes in it, else float32."""

import torch

__all__ = ["computes_in_bfloat16", "mixed_precision"]

INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16")
"""Torch's names of a CPU's instructions for bfloat16."""


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return a context in which convolutions and matrix products run in bfloat16, if that is faster.

    Without instructions for bfloat16, a device emulates it several times slower than float32; then nothing changes.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=computes_in_bfloat16(device))


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in INSTRUCTIONS)

"""The precision of training on each kind of device."""

import pytest
import torch

from training import precision
from training.precision import computes_in_bfloat16, mixed_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("capable", [True, False])
def test_products_are_rounded_only_where_the_device_computes_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capable: bool
) -> None:
    monkeypatch.setattr(precision, "computes_in_bfloat16", lambda _: capable)
    x = torch.ones(2, 2)
    with mixed_precision(CPU):
        assert (x @ x).dtype == (torch.bfloat16 if capable else torch.float32)


@pytest.mark.parametrize(
    ("instructions", "capable"),
    [
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
        ({"neon": True, "bf16": False}, False),
    ],
)
def test_a_processor_computes_in_bfloat16_by_its_instructions(
    monkeypatch: pytest.MonkeyPatch, instructions: dict[str, bool], capable: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    assert computes_in_bfloat16(CPU) is capable


def test_the_names_of_the_instructions_are_torchs() -> None:
    known = torch.cpu.get_capabilities()
    assert any(name in known for name in precision.INSTRUCTIONS)

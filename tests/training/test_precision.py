import torch

from training.precision import BFLOAT16, mixed_precision


def test_products_are_rounded_where_the_processor_can_and_not_imitated_elsewhere() -> None:
    capabilities = torch.cpu.get_capabilities()
    can = any(capabilities.get(name) for name in BFLOAT16)
    x = torch.ones(2, 2)
    with mixed_precision(x.device):
        assert (x @ x).dtype == (torch.bfloat16 if can else torch.float32)

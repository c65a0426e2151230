"""Networks small enough for tests."""

from pathlib import Path

import pytest
import torch

from model.checkpoint import Checkpoint, save_checkpoint
from model.cinn import Cinn, CinnConfig
from model.level import LevelConfig

TINY = CinnConfig(
    levels=(
        LevelConfig(8, blocks=2, width=6, head_width=8, head_blocks=1, joint_blocks=0, dense_blocks=1, dense_width=8),
        *(LevelConfig(size, blocks=2, width=6, head_width=8, head_blocks=1, joint_blocks=1) for size in (16, 32, 64)),
    )
)


@pytest.fixture(scope="session")
def tiny_config() -> CinnConfig:
    """All four levels of the released network, with few channels."""
    return TINY


@pytest.fixture(scope="session")
def tiny_checkpoint() -> Checkpoint:
    """An untrained network whose parameters are all off their start, so that each has an effect."""
    draws = torch.Generator().manual_seed(3)
    cinn = Cinn(TINY)
    with torch.no_grad():
        for p in cinn.parameters():
            p.copy_(torch.randn(p.shape, generator=draws) * (0.5 / max(p[0].numel(), 1) ** 0.5))
        cinn.chroma_std.fill_(15)
    return Checkpoint(cinn.eval().requires_grad_(False), "tiny-1", 0.8, (1.0, 1.0, 2.0, 3.0))


@pytest.fixture
def tiny_weights(tiny_checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """The tiny network on disk."""
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    return path

"""Weights come back as they were written, or not at all."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from model.errors import CheckpointError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def resum(path: Path) -> None:
    """Make SHA256SUMS agree with whatever the file holds now."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  {path.name}\n")


def test_round_trip(tiny_checkpoint: Checkpoint, tiny_weights: Path) -> None:
    loaded = load_checkpoint(tiny_weights)
    assert loaded.cinn.config == tiny_checkpoint.cinn.config
    assert (loaded.name, loaded.temperature) == (tiny_checkpoint.name, tiny_checkpoint.temperature)
    assert loaded.temperature_exponents == tiny_checkpoint.temperature_exponents
    parameters = dict(tiny_checkpoint.cinn.named_parameters())
    for name, tensor in tiny_checkpoint.cinn.state_dict().items():
        # float16 keeps 11 bits of a parameter; buffers are exact.
        tolerance = 2**-11 if name in parameters else 0.0
        assert_close(loaded.cinn.state_dict()[name], tensor, rtol=tolerance, atol=tolerance * 1e-3)


def test_writing_twice_gives_the_same_bytes(tiny_weights: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    digest = save_checkpoint(load_checkpoint(tiny_weights), again / "tiny.safetensors")
    assert digest == load_checkpoint(tiny_weights).sha256


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights at"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_missing_checksums(tiny_weights: Path) -> None:
    (tiny_weights.parent / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="no SHA256SUMS"):
        load_checkpoint(tiny_weights)


def test_a_file_that_is_not_listed(tiny_weights: Path) -> None:
    (tiny_weights.parent / "SHA256SUMS").write_text("0  other.safetensors\n")
    with pytest.raises(CheckpointError, match="does not list"):
        load_checkpoint(tiny_weights)


def test_one_flipped_bit(tiny_weights: Path) -> None:
    data = bytearray(tiny_weights.read_bytes())
    data[-1] ^= 1
    tiny_weights.write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged"):
        load_checkpoint(tiny_weights)


def test_a_text_file(tiny_weights: Path) -> None:
    tiny_weights.write_text("not weights")
    resum(tiny_weights)
    with pytest.raises(CheckpointError, match="does not hold weights of this version"):
        load_checkpoint(tiny_weights)


def test_weights_of_something_else(tiny_weights: Path) -> None:
    save_file({"x": torch.zeros(1)}, tiny_weights)
    resum(tiny_weights)
    with pytest.raises(CheckpointError, match="does not hold weights of this version"):
        load_checkpoint(tiny_weights)


def test_weights_that_are_not_finite(tiny_weights: Path) -> None:
    from safetensors import safe_open

    with safe_open(tiny_weights, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(tiny_weights)
    tensors["chroma_mean"][0] = torch.nan
    save_file(tensors, tiny_weights, metadata)
    resum(tiny_weights)
    with pytest.raises(CheckpointError, match="not finite"):
        load_checkpoint(tiny_weights)

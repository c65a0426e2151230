"""Weights are read exactly as they were written, or refused."""

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from model.errors import CheckpointError, InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, open_checkpoint, save_checkpoint
from model.flow.weights_file import write_weights


def resum(path: Path) -> None:
    """Update SHA256SUMS to the file's current content."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  {path.name}\n")


def test_round_trip(tiny_checkpoint: Checkpoint, tiny_weights: Path) -> None:
    loaded = load_checkpoint(tiny_weights)
    assert loaded.cinn.config == tiny_checkpoint.cinn.config
    assert (loaded.name, loaded.temperature) == (tiny_checkpoint.name, tiny_checkpoint.temperature)
    assert loaded.temperature_exponents == tiny_checkpoint.temperature_exponents
    parameters = dict(tiny_checkpoint.cinn.named_parameters())
    for name, tensor in tiny_checkpoint.cinn.state_dict().items():
        # Parameters keep the 11 bits of float16; buffers are exact.
        tolerance = 2**-11 if name in parameters else 0.0
        assert_close(loaded.cinn.state_dict()[name], tensor, rtol=tolerance, atol=tolerance * 1e-3)


def test_writing_twice_gives_the_same_bytes(tiny_weights: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    digest = save_checkpoint(load_checkpoint(tiny_weights), again / "tiny.safetensors")
    assert digest == load_checkpoint(tiny_weights).sha256


def test_other_users_may_read_weights_and_a_link_stays(tiny_weights: Path) -> None:
    link = tiny_weights.with_name("link.safetensors")
    link.symlink_to(tiny_weights)
    umask = os.umask(0o077)
    try:
        save_checkpoint(load_checkpoint(tiny_weights), link)
    finally:
        os.umask(umask)
    assert link.is_symlink()
    assert {path.stat().st_mode & 0o777 for path in (tiny_weights, tiny_weights.with_name("SHA256SUMS"))} == {0o644}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("file", ["tiny.safetensors", "SHA256SUMS"])
def test_a_full_disk_is_named_and_spoils_nothing(tiny_weights: Path, file: str) -> None:
    checkpoint, folder = load_checkpoint(tiny_weights), tiny_weights.parent
    spoiled = folder / file
    before = spoiled.read_bytes()
    (folder / f"{file}.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(replace(checkpoint, name="other"), tiny_weights)
    assert spoiled.read_bytes() == before


@pytest.mark.parametrize("in_place", [True, False])
def test_an_opened_checkpoint_is_that_of_its_file_even_if_this_is_replaced(tiny_weights: Path, in_place: bool) -> None:
    expected, opened = load_checkpoint(tiny_weights), open_checkpoint(tiny_weights)
    if in_place:
        tiny_weights.write_bytes(b"other weights")
    else:
        tiny_weights.unlink()
    for name in ("name", "temperature", "temperature_exponents", "sha256"):
        assert getattr(opened, name) == getattr(expected, name)
    assert opened.cinn is opened.cinn
    assert_close(opened.cinn.state_dict(), expected.cinn.state_dict(), rtol=0, atol=0)


def flip_one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def write_text(path: Path) -> None:
    path.write_text("not weights")
    resum(path)


def write_something_else(path: Path) -> None:
    save_file({"x": torch.zeros(1)}, path)
    resum(path)


def write_nan(path: Path) -> None:
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors["chroma_mean"][0] = torch.nan
    save_file(tensors, path, metadata)
    resum(path)


def write_other_kinds(path: Path) -> None:
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["tintflow"])
    facts["config"]["decoder"] = []
    save_file(load_file(path), path, {"tintflow": json.dumps(facts)})
    resum(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "no weights at"),
        (lambda path: (path.parent / "SHA256SUMS").unlink(), "no SHA256SUMS"),
        (lambda path: (path.parent / "SHA256SUMS").write_text("0  other.safetensors\n"), "does not list"),
        (lambda path: (path.parent / "SHA256SUMS").write_bytes(b"\xff"), "does not list"),
        (flip_one_bit, "is damaged"),
        (write_text, "does not hold weights of this version"),
        (write_other_kinds, "does not hold weights of this version"),
        (write_something_else, "does not hold weights of this version"),
        (write_nan, "not finite"),
    ],
)
def test_spoiled_weights_are_refused(tiny_weights: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(tiny_weights)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tiny_weights)


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [
        ("name", "彩色-1", "name: expected 1 to 64 letters"),
        ("name", "", "name"),
        ("name", "x" * 65, "name"),
        ("temperature", 3.0, "temperature: expected 0 to 2, got 3.0"),
        ("temperature", math.nan, "temperature"),
        ("temperature_exponents", (1.0,), "exponent: expected 4 numbers"),
        ("temperature_exponents", (1.0, 1.0, 1.0, -1.0), "exponent"),
        ("temperature_exponents", (1.0, 1.0, 1.0, math.inf), "exponent"),
    ],
)
def test_facts_that_no_service_could_use_are_neither_saved_nor_opened(
    tiny_checkpoint: Checkpoint, tmp_path: Path, fact: str, value: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        replace(tiny_checkpoint, **{fact: value})
    facts = {"name": "tiny-1", "temperature": 0.8, "temperature_exponents": (1.0, 1.0, 2.0, 3.0)} | {fact: value}
    path = tmp_path / "tiny.safetensors"
    write_weights(tiny_checkpoint.cinn, facts | {"config": asdict(tiny_checkpoint.cinn.config)}, path)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(path)

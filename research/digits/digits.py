"""Handwritten digits: reading MNIST's IDX files, and conversion between whole and continuous pixels."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import ModelError
from training.processes import Share

__all__ = ["CLASSES", "PIXELS", "SIDE", "BadIdxError", "Digits", "continuous", "read_digits", "whole"]

CLASSES = 10
SIDE = 28
PIXELS = SIDE * SIDE
LEVELS = 256
UNSIGNED_BYTE = 8
"""IDX code of uint8, the only type in MNIST"""


class BadIdxError(ModelError, ValueError):
    """A file is missing, or not the expected IDX file."""


@dataclass(frozen=True)
class Digits:
    """Images of digits and their labels."""

    images: Tensor
    """(N, 784) uint8, 0 paper … 255 ink"""
    labels: Tensor
    """(N,) int64, 0 … 9"""

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, chosen: slice | Tensor) -> "Digits":
        return Digits(self.images[chosen], self.labels[chosen])

    def to(self, device: torch.device) -> "Digits":
        return Digits(self.images.to(device), self.labels.to(device))


def read_digits(folder: Path, part: Literal["train", "t10k"]) -> Digits:
    """Read the training or test digits, `{part}-images-idx3-ubyte`, plain or .gz, and their labels.

    Raises BadIdxError for missing files or unexpected shapes.
    """
    images = _read_idx(folder, f"{part}-images-idx3-ubyte")
    labels = _read_idx(folder, f"{part}-labels-idx1-ubyte")
    if images.shape[1:] != (SIDE, SIDE) or labels.shape != images.shape[:1] or labels.max(initial=0) >= CLASSES:
        raise BadIdxError(f"{folder}: expected N digits of 28×28 and N labels, got {images.shape} and {labels.shape}")
    return Digits(torch.from_numpy(images.reshape(-1, PIXELS)), torch.from_numpy(labels.astype(np.int64)))


def continuous(images: Tensor, noise: float, generator: torch.Generator, share: Share = Share()) -> Tensor:
    """Convert uint8 pixels to real ones: uniform within each of 256 steps of [0, 1), plus Gaussian noise.

    images: (B, 784). noise: standard deviation in units of [0, 1]. share: the images' part of a joint batch.
    """
    joint = (len(images) * share.of, *images.shape[1:])
    pixels = (images + torch.rand(joint, generator=generator)[share.rows].to(images.device)) / LEVELS
    if noise:
        pixels = pixels + noise * torch.randn(joint, generator=generator)[share.rows].to(images.device)
    return pixels


def whole(pixels: Tensor) -> Tensor:
    """Convert real pixels back to uint8; without noise, this undoes `continuous`."""
    return (pixels * LEVELS).floor().clamp(0, LEVELS - 1).to(torch.uint8)


def _read_idx(folder: Path, name: str) -> NDArray[np.uint8]:
    """Read an IDX file: magic, sizes, bytes; big-endian. Source: the MNIST page (LeCun et al.)."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if not plain.is_file() and not packed.is_file():
        raise BadIdxError(f"no {name} or {name}.gz in {folder}")
    try:
        data = plain.read_bytes() if plain.is_file() else gzip.decompress(packed.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadIdxError(f"{packed}: {error}") from error
    start = 4 + 4 * data[3] if len(data) > 4 else 0
    if data[:3] != bytes((0, 0, UNSIGNED_BYTE)) or len(data) < start:
        raise BadIdxError(f"{folder / name} is not an IDX file of bytes")
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], ">u4"))
    if len(data) - start != np.prod(shape, dtype=np.int64):
        raise BadIdxError(f"{folder / name}: expected {shape} bytes, got {len(data) - start}")
    return np.frombuffer(bytearray(data[start:]), np.uint8).reshape(shape)

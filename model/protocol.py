"""The one door to the model: uint8 arrays in, uint8 arrays out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colorings", "Colorizer", "ModelInfo", "Photo", "SampleOptions"]

Photo = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) sRGB-encoded grey of 8 or 16 bits, or (H, W, 3) sRGB of 8 bits, whose own colours are ignored."""


@dataclass(frozen=True)
class ModelInfo:
    """What is loaded, and where."""

    name: str
    """name and version, as in `tintflow-cwf-1`"""
    device: str
    """`cpu` or `cuda`"""
    parameters: int
    latents: int
    default_temperature: float
    sha256: str
    """of the weights' file"""


@dataclass(frozen=True)
class SampleOptions:
    """How to draw the samples of one photo. Sample i depends on (photo, seed, i, temperature) alone."""

    n: int
    """how many samples, at least 1"""
    seed: int
    """0 … 2³² − 1"""
    temperature: float | None = None
    """0 … 2; None is the model's default"""
    latent_norm: float | None = None
    """0 … 2, ‖z‖/√dim of every sample; None leaves the norm to chance"""


@dataclass(frozen=True)
class Colorings:
    """N samples of one photo, in drawn order."""

    images: NDArray[np.uint8]
    """(N, H, W, 3) sRGB; L* is the photo's own"""
    bits_per_dim: tuple[float, ...]
    """exact −log₂ p(a*b* | L*) / dim of each sample, a*b* in CIELAB units at 64×64"""
    latent_norms: tuple[float, ...]
    """‖z‖/√dim of each sample"""
    temperature: float
    """the one used"""
    timings: dict[str, float]
    """seconds: `condition`, `sample`, `upsample`"""


class Colorizer(Protocol):
    """Colorizes one photo at a time. Not thread-safe: call it from one thread."""

    @property
    def info(self) -> ModelInfo: ...

    def colorize(self, photo: Photo, options: SampleOptions) -> Colorings:
        """Draw samples and bring them to the photo's own size.

        Raises InputError for a photo or option out of range, NonFiniteError rather than return a broken image.
        """
        ...

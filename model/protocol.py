"""The model's interface to the service: uint8 arrays in, uint8 arrays out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from model.options import PLAIN, Color, Hint, Look, Options

__all__ = [
    "IMAGES_BYTES",
    "NO_FRAME",
    "Colorizer",
    "DeviceMemory",
    "DrawTask",
    "Drawn",
    "Finished",
    "Frame",
    "HintMatch",
    "LevelLikelihood",
    "Likelihood",
    "ModelInfo",
    "Photo",
    "SmallPhoto",
]

IMAGES_BYTES = 160_000_000
"""Maximum size of the images that `Colorizer.finish` upsamples at once, if they are more than one."""
Photo = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) sRGB-encoded gray of 8 or 16 bits, or (H, W, 3) sRGB of 8 bits, whose own colors are ignored."""


@dataclass(frozen=True)
class ModelInfo:
    """The loaded model, and its device."""

    name: str
    """name and version, as in `tintflow-cwf-1`"""
    device: str
    """`cpu` or `cuda`"""
    parameters: int
    latents: int
    default_temperature: float
    sha256: str
    """SHA-256 of the weights file"""


@dataclass(frozen=True)
class DeviceMemory:
    """Memory of the device that the model runs on."""

    used_bytes: int
    """used by this process: resident memory on a CPU, torch's memory on a GPU"""
    total_bytes: int
    """total memory of the machine, or of the GPU"""


class Frame(NamedTuple):
    """Width of the frame around a photo on each side, as a share of the whole's height or width."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0

    def inside(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and columns inside, of the whole's (H, W, …); at least one of each."""
        return _inside(shape[0], self.top, self.bottom), _inside(shape[1], self.left, self.right)

    def point_inside(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point of the whole to one of the inside, both in [0, 1] from the left and the top."""
        return (x - self.left) / (1 - self.left - self.right), (y - self.top) / (1 - self.top - self.bottom)

    def with_inner(self, inner: "Frame") -> "Frame":
        """Combine a frame with one inside it, whose widths are shares of the inside."""
        height, width = 1 - self.top - self.bottom, 1 - self.left - self.right
        return Frame(
            self.top + height * inner.top,
            self.bottom + height * inner.bottom,
            self.left + width * inner.left,
            self.right + width * inner.right,
        )


NO_FRAME = Frame()


@dataclass(frozen=True)
class SmallPhoto:
    """A photo at the network's sizes."""

    lightness: NDArray[np.float32]
    """(256, 256), L* in [0, 100], as the network sees it: with more contrast if the photo is faded"""
    own_lightness: NDArray[np.float32]
    """the same without added contrast: hints' colors are matched at this lightness"""
    chroma: NDArray[np.float32] | None
    """(64, 64, 2), its own a*b*; None if only its lightness was requested"""
    frame: Frame = NO_FRAME
    """frame around the photo; all arrays are of the inside"""
    longest: int = 256
    """longer side of the inside, in pixels of the photo's own size: large photos get less grain"""


@dataclass(frozen=True)
class DrawTask:
    """A photo, and the samples to draw for it."""

    photo: SmallPhoto
    options: Options
    reference: SmallPhoto | None = None
    """the reference, with its chroma, if the options need one"""


@dataclass(frozen=True)
class Drawn:
    """N samples of one photo at the network's size, in drawn order unless they were ranked."""

    chroma: NDArray[np.float32]
    """(N, 2, 64, 64) a*b*"""
    indices: tuple[int, ...]
    """each sample's place in drawn order"""
    bits_per_dim: tuple[float, ...]
    """exact −log₂ p(a*b* | L*) / dim of each sample, a*b* in CIELAB units at 64×64"""
    latent_norms: tuple[float, ...]
    """‖z‖/√dim of each sample"""
    temperature: float
    """the one used"""
    timings: dict[str, float]
    """seconds of `condition` and `sample` for the whole pass, even if several photos shared it"""
    coarsest: NDArray[np.float32]
    """(N, 2, 8, 8) a*b* of the coarsest level, which `select=diverse` compares"""
    bits_before_hints: tuple[float, ...]
    """bits_per_dim before the correction at hints, which `select=likely` compares"""
    colors: tuple[tuple[Color, ...], ...]
    """new colors of each sample at the points of `VariationOptions.at` inside the frame"""
    hints: tuple[Hint, ...] = ()
    """the hints that the samples follow"""
    frame: Frame = NO_FRAME
    """frame around the photo; a*b* are of the inside"""


@dataclass(frozen=True)
class HintMatch:
    """How well a sample follows a hint."""

    color: tuple[int, int, int]
    """sRGB of the sample at the hint's point"""
    delta_e: float
    """ΔE76 between this and the hint's color, including the difference in lightness"""
    delta_chroma: float
    """distance in a*b* alone, the only part that colorizing can change"""


class Finished(NamedTuple):
    """One sample at the photo's own size."""

    image: NDArray[np.uint8]
    """(H, W, 3) sRGB; L* is the photo's own"""
    hints: tuple[HintMatch, ...]
    """in the order of the hints; empty without hints"""


@dataclass(frozen=True)
class LevelLikelihood:
    """One level's share of a likelihood."""

    size: int
    """side of the a*b* that the level completes"""
    dims: int
    bits_per_dim: float
    """bits per dimension of this level alone"""
    latent_norm: float
    """‖z‖/√dim of this level's latent: about 1 where the colors are as the model expects"""


@dataclass(frozen=True)
class Likelihood:
    """How plausible a photo's own colors are."""

    bits_per_dim: float
    """exact −log₂ p(a*b* | L*) / dim, a*b* in CIELAB units at 64×64"""
    levels: tuple[LevelLikelihood, ...]
    """coarse to fine"""
    timings: dict[str, float]
    """seconds of `condition` and `likelihood`"""


class Colorizer(Protocol):
    """Colorizes photos in three steps. Several photos may share passes through the network.

    `shrink` and `finish` work on one photo at its own size and are thread-safe. `draw_all` and `score_all` run the
    network; call them from at most `at_once` threads.
    """

    @property
    def at_once(self) -> int:
        """Return how many calls side by side are faster than one after another."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def memory(self) -> DeviceMemory | None:
        """Return the device's present memory; None if it is another machine's. Thread-safe."""

    def prepare_rest(self) -> Iterator[None]:
        """Load or compile what the first photo does not need but others may: hints, likelihoods, many samples.

        One piece per step; the caller, a separate thread, may stop after any step. Raises ModelError.
        """

    def shrink(self, photo: Photo, with_chroma: bool = False) -> SmallPhoto:
        """Resize a photo for the network; also its own a*b*, which take longer, if requested.

        Raises InputError for a photo out of range.
        """

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        """Draw the samples of several tasks in shared passes. No task's samples depend on the others.

        Raises InputError for an option out of range, NonFiniteError in place of broken colors, and OutOfMemoryError;
        fewer tasks may then succeed.
        """

    def score_all(self, photos: Sequence[SmallPhoto]) -> list[Likelihood]:
        """Score the own colors of several photos, which need their chroma; gray ones are a* = b* = 0.

        Raises InputError for a photo without its chroma, NonFiniteError where a likelihood is not a number, and
        OutOfMemoryError.
        """

    def finish(self, photo: Photo, drawn: Drawn, look: Look = PLAIN) -> Iterator[Finished]:
        """Upsample samples to the photo's own size, in order, of IMAGES_BYTES at a time to save memory.

        look: part of the task's options. Raises InputError for a photo out of range.
        """


def _inside(side: int, before: float, after: float) -> slice:
    start = min(math.ceil(side * before - 1e-6), side - 1)
    return slice(start, max(start + 1, math.floor(side * (1 - after) + 1e-6)))

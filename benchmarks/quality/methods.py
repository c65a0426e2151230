"""Methods to measure. Each draws several colorings of a photo whose colors are known."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from model.colorizer import CinnColorizer
from model.options import SampleOptions
from model.pixels.resizing import photo_to_chroma
from model.protocol import DrawTask
from training.objectives.details import NOISE

__all__ = ["DEFAULT_SAMPLES", "Bits", "CinnMethod", "Colors", "Method", "bits_of", "condition_of", "truth_bits"]

DEFAULT_SAMPLES = 3
"""Number of samples at the default temperature; with the sample at temperature 0 they fill a batch of four."""

Chroma = NDArray[np.float32]
"""(N, 2, 64, 64) a*b*"""


class Bits(NamedTuple):
    """Bits per dimension."""

    truth: float
    """bits per dimension of the photo's own colors"""
    noisy_truth: float
    """the same with the noise of training, which the flow has learned and samples also have"""
    samples: NDArray[np.float64]
    """(N,)"""


class Colors(NamedTuple):
    """A method's colorings of one photo."""

    drawn: Chroma
    """samples at the measured temperature"""
    default: Chroma
    """DEFAULT_SAMPLES samples at the method's default temperature"""
    zero: Chroma
    """the sample at temperature 0"""
    bits: Bits | None
    """None for a method without a likelihood"""


class Method(Protocol):
    """A way to colorize."""

    name: str
    settings: dict[str, object]
    """entries for the report"""

    def colorize(self, photo: NDArray[np.uint8], samples: int, temperature: float, seed: int) -> Colors:
        """Colorize from the lightness of a (H, W, 3) sRGB photo."""


def condition_of(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> list[torch.Tensor]:
    """Return a photo's condition for `Cinn.log_prob`, computed by the network itself in float32."""
    lightness = torch.from_numpy(colorizer.shrink(photo).lightness)[None, None]
    with torch.no_grad():
        return colorizer.cinn.condition(lightness.to(colorizer.device))


def bits_of(log_prob: torch.Tensor, dims: Sequence[int]) -> NDArray[np.float64]:
    """Return bits per dimension, (B,), from nats per level, (B, levels), and each level's dimensions."""
    return (-log_prob.double().sum(1) / (np.log(2) * sum(dims))).cpu().numpy()


def truth_bits(
    cinn: Any, photo: NDArray[np.uint8], condition: Sequence[torch.Tensor], noise: float, seed: int
) -> tuple[float, float]:
    """Return bits per dimension of a photo's own colors, without and with noise.

    cinn: a flow of a*b*. noise: standard deviation in standardized a*b*.
    """
    truth = torch.from_numpy(photo_to_chroma(photo, cinn.chroma_size)).permute(2, 0, 1)
    drawn = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
    chroma = torch.stack((truth, truth + noise * cinn.chroma_std.cpu() * drawn)).to(cinn.chroma_std.device)
    plain, noisy = bits_of(cinn.log_prob(chroma, condition).log_prob, cinn.dims).tolist()
    return plain, noisy


class CinnMethod:
    """The cINN, as the service samples it."""

    def __init__(self, colorizer: CinnColorizer) -> None:
        self.colorizer = colorizer
        self.name = "tintflow"
        self.default_temperature = colorizer.info.default_temperature
        self.settings: dict[str, object] = {
            "default_temperature": self.default_temperature,
            "temperature_exponents": list(colorizer.checkpoint.temperature_exponents),
            "weights": colorizer.info.sha256,
        }

    @torch.inference_mode()
    def colorize(self, photo: NDArray[np.uint8], samples: int, temperature: float, seed: int) -> Colors:
        small = self.colorizer.shrink(photo)
        tasks = [
            DrawTask(small, SampleOptions(samples, seed, temperature)),
            DrawTask(small, SampleOptions(DEFAULT_SAMPLES, seed, self.default_temperature)),
            DrawTask(small, SampleOptions(1, seed, 0.0)),
        ]
        drawn, default, zero = self.colorizer.draw_all(tasks)
        truth = truth_bits(self.colorizer.cinn, photo, condition_of(self.colorizer, photo), NOISE, seed)
        return Colors(drawn.chroma, default.chroma, zero.chroma, Bits(*truth, np.array(drawn.bits_per_dim)))

"""Measurements of one photo: once of its own colors and two trivial colorings, then of each method's colorings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import measures
from benchmarks.quality.classifier import Classifier, Judgement
from benchmarks.quality.collection import square
from benchmarks.quality.methods import Method
from model.pixels.color import photo_to_lightness
from model.pixels.upsampling import upsample_to_rgb

__all__ = ["Record", "Reference", "as_floats", "measure"]

JUDGED = 2
"""Number of samples at the measured temperature for the classifier and for blotches."""

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Record:
    """Measurements of one photo."""

    values: Mapping[str, float]
    """figures of this photo, named as in the model card; errors in hundredths of the sRGB range"""
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    """judgements of the pictures `drawn`, `default`, `zero`, `gray` and `truth`; empty without a classifier"""
    label: int | None = None
    """the photo's ImageNet class, if known"""


class Reference:
    """A photo squeezed to 256×256, with all measurements that do not depend on the method."""

    def __init__(
        self,
        photo: Pictures,
        mean_chroma: NDArray[np.float32],
        classifier: Classifier | None = None,
        label: int | None = None,
    ) -> None:
        """Measure an (H, W, 3) sRGB photo. mean_chroma: (2, 1, 1), the mean a*b* of the training photos."""
        mean_chroma = np.broadcast_to(mean_chroma, (2, 64, 64))
        self.photo, self.classifier, self.label = square(photo), classifier, label
        self.lightness = photo_to_lightness(self.photo)
        self.truth = as_floats(self.photo)
        plain = self.paint(np.stack((0 * mean_chroma, mean_chroma)))
        gray, mean_color = measures.rmse(as_floats(plain), self.truth)
        self.values = {
            "gray": 100 * gray,
            "mean_color": 100 * mean_color,
            "colorfulness_truth": measures.colorfulness(self.truth),
            "smooth_gradient_truth": measures.smooth_gradient(self.truth),
        }
        self.judgements = self.judge({"truth": self.photo[None], "gray": plain[:1]})

    def paint(self, chroma: NDArray[np.float32]) -> Pictures:
        """Combine (N, 2, 64, 64) a*b* with the photo's lightness; return (N, 256, 256, 3) sRGB."""
        return upsample_to_rgb(chroma, self.lightness)

    def judge(self, pictures: Mapping[str, Pictures]) -> dict[str, Judgement]:
        """Judge all pictures by the classifier, in one batch."""
        if self.classifier is None:
            return {}
        judged = self.classifier.judge(np.concatenate(list(pictures.values())))
        ends = np.cumsum([len(part) for part in pictures.values()])[:-1]
        parts = zip(np.split(judged.features, ends), np.split(judged.ranking, ends), strict=True)
        return {name: Judgement(*part) for name, part in zip(pictures, parts, strict=True)}


def measure(method: Method, reference: Reference, samples: int, temperature: float, seed: int) -> Record:
    """Measure a method's colorings of one photo."""
    colors = method.colorize(reference.photo, samples, temperature, seed)
    counts = np.cumsum((len(colors.drawn), len(colors.default)))
    painted = reference.paint(np.concatenate((colors.drawn, colors.default, colors.zero)))
    pictures = dict(zip(("drawn", "default", "zero"), np.split(painted, counts), strict=True))
    drawn, default, zero = map(as_floats, pictures.values())
    truth = reference.truth
    errors = measures.rmse(drawn, truth)
    values = {
        f"best_of_{samples}_pixel": 100 * measures.best_of_pixel(drawn, truth),
        f"best_of_{samples}_photo": 100 * errors.min(),
        "best_of_1": 100 * errors[0],
        "temperature_0": 100 * measures.rmse(zero, truth)[0],
        "variance": 1e4 * measures.variance(drawn),
    }
    for suffix, images, blotched, chroma in (
        ("", drawn, drawn[:JUDGED], colors.drawn),
        ("_default", default, default, colors.default),
    ):
        values[f"colorfulness{suffix}"] = float(np.mean([measures.colorfulness(image) for image in images]))
        values[f"smooth_gradient{suffix}"] = float(np.mean([measures.smooth_gradient(image) for image in blotched]))
        values[f"pairwise_difference{suffix}"] = measures.pairwise_difference(chroma)
    if colors.bits is not None:
        values["bits_per_dim"], noisy, drawn_bits = colors.bits
        values["bits_per_dim_noisy"] = noisy
        # Whether the truth lies in the samples' range of bits: for a perfect model, on (N − 1)/(N + 1) of the photos.
        # A flow trained with noise also draws noise, so the truth is compared with noise added.
        values["truth_in_range"] = float(drawn_bits.min() <= noisy <= drawn_bits.max())
    judgements = reference.judge(pictures | {"drawn": pictures["drawn"][:JUDGED]})
    return Record(reference.values | values, reference.judgements | judgements, reference.label)


def as_floats(pictures: Pictures) -> NDArray[np.float32]:
    """Convert 8-bit sRGB to [0, 1]."""
    return pictures.astype(np.float32) / np.float32(255)

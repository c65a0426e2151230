"""Measurements of the digits' cINN: likelihood, Gaussianity of its latents, and recognition of its digits."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from model.drawing.latents import draw_latents
from research.digits.classifier import DigitClassifier, classify
from research.digits.digits import CLASSES, PIXELS, Digits, continuous, whole
from research.digits.flow import DigitFlow
from training.objectives.objective import NATS_PER_BIT

__all__ = ["bits_per_dim", "decode", "encode", "latent_statistics", "measure", "recognized", "sample"]

BATCH = 500
BITS_PER_PIXEL = 8
PERCENTILES = (0.05, 0.5, 0.95)

Report = dict[str, dict[str, dict[str, float]]]
"""Measurement → digits or latents → name → figure"""


def measure(
    flow: DigitFlow,
    classifier: DigitClassifier,
    train: Digits,
    test: Digits,
    temperatures: Sequence[float],
    per_class: int,
    seed: int,
) -> Report:
    """Measure everything; compare the test latents with as many draws of N(0, 1), and latents of training digits."""
    noise = flow.config.noise
    latents = encode(flow, test, noise, seed)
    gaussian = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    generated = {f"T={t:g}": sample(flow, per_class, t, seed) for t in temperatures}
    return {
        "bits_per_dim": {
            "uniform": {"test": bits_per_dim(flow, test, 0.0, seed)},
            "noise_of_training": {"test": bits_per_dim(flow, test, noise, seed)},
        },
        "latents": {
            "test": latent_statistics(latents),
            "gaussian": latent_statistics(gaussian),
            "train": latent_statistics(encode(flow, train.part(slice(len(test))), noise, seed)),
            "test_without_noise": latent_statistics(encode(flow, test, 0.0, seed)),
        },
        "recognized": {name: recognized(classifier, digits) for name, digits in ({"test": test} | generated).items()},
    }


@torch.inference_mode()
def encode(flow: DigitFlow, digits: Digits, noise: float, seed: int) -> Tensor:
    """Return the latents, (N, 784), of digits with the given noise on their pixels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([flow(continuous(part.images, noise, generator), part.labels)[0] for part in _parts(digits)])


@torch.inference_mode()
def decode(flow: DigitFlow, z: Tensor, labels: Tensor) -> Tensor:
    """Decode z, (N, 784), to digits, (N, 784) uint8. labels: (N,)."""
    batches = zip(torch.split(z, BATCH), torch.split(labels, BATCH), strict=True)
    return whole(torch.cat([flow.inverse(part, own)[0] for part, own in batches]))


def sample(flow: DigitFlow, per_class: int, temperature: float, seed: int) -> Digits:
    """Draw digits of every class, in the order of classes. Digit i depends on (seed, i, temperature) alone."""
    labels = torch.arange(CLASSES).repeat_interleave(per_class)
    (z,) = draw_latents((PIXELS,), (temperature,), seed, range(len(labels)))
    return Digits(decode(flow, torch.from_numpy(z), labels), labels)


@torch.inference_mode()
def bits_per_dim(flow: DigitFlow, digits: Digits, noise: float, seed: int) -> float:
    """Return the mean −log₂ p of digits, per pixel in steps of 1/256.

    Noise 0 is the usual convention: pixels are uniform within their step, and the mean is an upper bound of the
    bits of a lossless code for whole pixels (Theis et al. 2016, arXiv 1511.01844).
    """
    generator = torch.Generator().manual_seed(seed)
    nats = [flow.nats(continuous(part.images, noise, generator), part.labels) for part in _parts(digits)]
    return torch.cat(nats).mean().item() / NATS_PER_BIT + BITS_PER_PIXEL


def latent_statistics(z: Tensor) -> dict[str, float]:
    """Compare latents, (N, 784), with N(0, 1): moments of each dimension, and dependence between dimensions.

    Returns the 5th, 50th and 95th percentile over the dimensions of mean, variance and excess kurtosis. Also returns
    the mean and standard deviation over digits of the latent norm, the mean absolute correlation of two dimensions,
    and the largest eigenvalue of the covariance (1 for N → ∞).
    """
    centered = z.double() - z.double().mean(0)
    variance = centered.square().mean(0)
    kurtosis = centered.pow(4).mean(0) / variance.square() - 3
    covariance = centered.T @ centered / len(z)
    scale = variance.sqrt()
    correlation = covariance / (scale[:, None] * scale)
    norms = z.double().square().mean(1).sqrt()
    pairs = ~torch.eye(z.shape[1], dtype=torch.bool)
    statistics = {
        f"{name}_p{round(100 * q)}": values.quantile(q).item()
        for name, values in (("mean", z.double().mean(0)), ("variance", variance), ("excess_kurtosis", kurtosis))
        for q in PERCENTILES
    }
    return statistics | {
        "latent_norm": norms.mean().item(),
        "latent_norm_std": norms.std().item(),
        "correlation": correlation[pairs].abs().mean().item(),
        "largest_eigenvalue": torch.linalg.eigvalsh(covariance)[-1].item(),
    }


def recognized(classifier: DigitClassifier, digits: Digits) -> dict[str, float]:
    """Return the share of digits whose class the classifier recognizes, over all and per class."""
    right = (classify(classifier, digits.images) == digits.labels).double()
    shares = {f"class_{label}": right[digits.labels == label].mean().item() for label in range(CLASSES)}
    return {"all": right.mean().item()} | shares


def _parts(digits: Digits) -> Iterator[Digits]:
    for start in range(0, len(digits), BATCH):
        yield digits.part(slice(start, start + BATCH))

"""The class-conditional cINN: fully connected couplings with random permutations between them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.flow.affine import ConditionalAffine
from model.flow.composition import Step, alternate, module_list, run, run_inverse, zeroed
from model.flow.constants import AFFINE_LIMIT
from model.flow.coupling import AffineCoupling
from research.couplings.dense import DenseSubnet
from research.couplings.permutation import RandomPermutation
from research.digits.digits import CLASSES, PIXELS, Digits

__all__ = ["DigitFlow", "DigitFlowConfig"]


@dataclass(frozen=True)
class DigitFlowConfig:
    """Size of the network. The authors have 24 two-sided blocks of width 512."""

    blocks: int = 20
    width: int = 288
    noise: float = 0.08
    """standard deviation of the Gaussian noise in training, on pixels in [0, 1]; the density is that of noisy digits"""
    seed: int = 0
    """seed of the permutations"""


class DigitFlow(nn.Module):
    """Invertible map from the pixels of a digit to a latent of the same size, given its class.

    The condition is the class as a one-hot vector, which selects a row of a matrix. So each subnet's share of the
    condition is a row of a table, and so are mean and scale of the last conditional affine layer (latent side).
    Source: Ardizzone et al. 2019 (arXiv 1907.02392), section 4.1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: DigitFlowConfig) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(config.seed)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        blocks = range(config.blocks)
        self.permutations = module_list(RandomPermutation(PIXELS, generator) for _ in blocks)
        self.couplings = module_list(AffineCoupling(PIXELS, DenseSubnet, config.width) for _ in blocks)
        self.shares = nn.Embedding(CLASSES, config.blocks * config.width)
        nn.init.normal_(self.shares.weight, std=0.1)
        self.last = ConditionalAffine()
        self.mean_and_log_scale = zeroed(nn.Embedding(CLASSES, 2 * PIXELS))

    def forward(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pixels, (B, 784) about [0, 1], to latents and log-det. labels: (B,) int64."""
        z, log_det = run(self._steps(labels), (pixels - self.mean) / self.std)
        return z, log_det - PIXELS * self.std.log()

    def inverse(self, z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map z, (B, 784), to pixels and log-det. labels: (B,) int64."""
        x, log_det = run_inverse(self._steps(labels), z)
        return x * self.std + self.mean, log_det + PIXELS * self.std.log()

    def nats(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Return each digit's negative log-likelihood per dimension, of its density for pixels in [0, 1]."""
        z, log_det = self(pixels, labels)
        return 0.5 * z.square().mean(1) + 0.5 * math.log(2 * math.pi) - log_det / PIXELS

    @torch.no_grad()
    def standardize(self, digits: Digits) -> None:
        """Set means and scales from the data, so that latents of an untrained flow have variance 1 in each class."""
        noise, least = self.config.noise, -0.9 * AFFINE_LIMIT  # the soft clamp never goes below −AFFINE_LIMIT
        pixels = digits.images.float() / 255
        self.mean.copy_(pixels.mean())
        self.std.copy_((pixels.var() + noise**2).sqrt())
        order = torch.arange(PIXELS)[None]
        for permutation in self.permutations:
            order, _ = permutation(order)
        for label in range(CLASSES):
            own = (pixels[digits.labels == label] - self.mean) / self.std
            log_scale = (0.5 * (own.var(0) + (noise / self.std) ** 2).log()).clamp_min(least)
            raw = AFFINE_LIMIT * torch.tan(log_scale * math.pi / (2 * AFFINE_LIMIT))  # before its soft clamp
            self.mean_and_log_scale.weight[label] = torch.cat((own.mean(0)[order[0]], raw[order[0]]))

    def _steps(self, labels: Tensor) -> list[Step]:
        steps = alternate(self.permutations, self.couplings, self.shares(labels).chunk(self.config.blocks, 1))
        return [*steps, (self.last, self.mean_and_log_scale(labels))]

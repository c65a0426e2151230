"""The rivals: regression, conditional VAE and conditional GAN."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from research.rivals.decoder import Decoder, DecoderConfig
from training.dataset import Batch

__all__ = ["RIVALS"]

MIN_ERROR = 1e-4
"""Floor of the VAE's mean squared error; a smaller error gains nothing."""
LOG_VARIANCE_LIMIT = 10.0
L1_WEIGHT = 10.0
"""L1 weight of the GAN's generator on standardized a*b*; pix2pix has 100 on a*b* / 110, equivalent to 12 here."""
LIGHTNESS_SCALE = 50.0


class Rival(nn.Module):
    """A network that colors from a latent of N(0, 1). Its players are trained in turns, each on its own loss."""

    has_latent: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 1e-3
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.decoder = Decoder(config if self.has_latent else replace(config, latent_channels=0))

    def players(self) -> dict[str, nn.Module]:
        """Return the modules to train, in the order of their turns."""
        return {"painter": self}

    def loss(self, player: str, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Return a player's loss, a scalar. target: (B, 2, 64, 64), standardized a*b*."""
        raise NotImplementedError

    def held_out_loss(self, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss on photos kept back, which shows the progress of training."""
        return self.loss("painter", batch, target, generator)

    def paint(self, batch: Batch, z: Tensor) -> Tensor:
        """Return standardized a*b* as float32."""
        return self.decoder(batch.features, batch.lightness, z).float()

    def draw(self, photos: int, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(photos, *self.decoder.latent_shape, generator=generator).to(like.device)


class Regression(Rival):
    """CNN regression of the mean color, with a single coloring per photo."""

    has_latent = False

    def loss(self, player: str, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean squared error."""
        return F.mse_loss(self.paint(batch, self.draw(len(target), target, generator)), target)


class ConditionalVae(Rival):
    """Conditional VAE whose Gaussian decoder has one variance, always the optimal one.

    Source: Kingma and Welling 2014 (arXiv 1312.6114); Rybkin et al. 2021 (arXiv 2006.13202) for the variance.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.encoder = _strided(config.widths, nn.ReLU(), 2 * config.latent_channels)

    def loss(self, player: str, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Return the negative evidence lower bound in nats per dimension (8192), without its constant."""
        mean, raw = self.encoder(_with_lightness(target, batch)).float().chunk(2, 1)
        log_variance = raw.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
        z = mean + (0.5 * log_variance).exp() * self.draw(len(target), target, generator)
        error = F.mse_loss(self.paint(batch, z), target)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum() / target.numel()
        return 0.5 * error.clamp_min(MIN_ERROR).log() + divergence


class ConditionalGan(Rival):
    """pix2pix with a latent as its noise, trained on a patch discriminator and an L1 loss.

    Source: Isola et al. 2017 (arXiv 1611.07004).
    """

    learning_rate = 2e-4
    betas = (0.5, 0.99)

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.discriminator = _strided(config.widths, nn.LeakyReLU(0.2), 1)

    def players(self) -> dict[str, nn.Module]:
        return {"painter": self.decoder, "discriminator": self.discriminator}

    def loss(self, player: str, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Return the discriminator's cross-entropy, or the generator's loss in the non-saturating form."""
        z = self.draw(len(target), target, generator)
        if player == "discriminator":
            with torch.no_grad():
                painted = self.paint(batch, z)
            judged = self.discriminator(_with_lightness(torch.cat((target, painted)), batch)).float()
            real, fake = judged.chunk(2)
            return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        painted = self.paint(batch, z)
        judged = self.discriminator(_with_lightness(painted, batch)).float()
        return F.softplus(-judged).mean() + L1_WEIGHT * F.l1_loss(painted, target)

    def held_out_loss(self, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean absolute error; the adversarial loss would depend on the discriminator's quality."""
        return F.l1_loss(self.paint(batch, self.draw(len(target), target, generator)), target)


RIVALS: dict[str, type[Rival]] = {"regression": Regression, "cvae": ConditionalVae, "cgan": ConditionalGan}


def _strided(widths: Sequence[int], activation: nn.Module, out_channels: int) -> nn.Sequential:
    """Return convolutions from a*b* and lightness at 64×64 to 8×8, with the decoder's widths reversed."""
    layers: list[nn.Module] = []
    for above, below in itertools.pairwise((3, *reversed(widths))):
        layers += [nn.Conv2d(above, below, 4, stride=2, padding=1), activation]
    return nn.Sequential(*layers, nn.Conv2d(widths[0], out_channels, 3, padding=1))


def _with_lightness(chroma: Tensor, batch: Batch) -> Tensor:
    """Stack the lightness at 64×64 onto standardized a*b*, (kB, 2, 64, 64) to (kB, 3, 64, 64)."""
    small = F.avg_pool2d(batch.lightness / LIGHTNESS_SCALE - 1, 2)
    return torch.cat((small.repeat(math.ceil(len(chroma) / len(small)), 1, 1, 1), chroma), 1)

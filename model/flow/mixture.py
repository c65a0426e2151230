"""Mixtures of bivariate Gaussians, and the exact map between a draw of one and two Gaussian latents."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.flow.mixture_arrays import CORRELATION_LIMIT, NUCLEUS_EXPONENT, SCALE_LIMITS, SMALLEST_TEMPERATURE

__all__ = ["Mixture"]

LEAST_DENSITY = 0.1
"""Minimum density of standardized a*b* in a draw's gradient, which else has no bound in the gap between two components.
It also makes the gradient smaller in the tails."""
SECTIONS, ROUNDS = 64, 8
"""Parts into which a quantile's bracket is cut, and number of such cuts: down to 4e-15 of its width."""


class Mixture(NamedTuple):
    """p(a, b) = Σₖ wₖ·N(a, b; μₖ, Σₖ) for each of a batch of cells; K components in the last dimension."""

    log_weights: Tensor
    """(…, K), normalized"""
    means: Tensor
    """(…, 2, K)"""
    log_scales: Tensor
    """(…, 2, K): log of the standard deviations"""
    correlations: Tensor
    """(…, K) in (−1, 1)"""

    @classmethod
    def from_output(cls, output: Tensor) -> "Mixture":
        """Read the parameters from a network's output, (…, 6·K)."""
        parts = output.view(*output.shape[:-1], 6, -1)
        return cls(
            F.log_softmax(parts[..., 0, :], -1),
            parts[..., 1:3, :],
            parts[..., 3:5, :].clamp(*SCALE_LIMITS),
            CORRELATION_LIMIT * torch.tanh(parts[..., 5, :]),
        )

    def double(self) -> "Mixture":
        """Return the same in float64, for distribution functions and their inverses."""
        return Mixture(*(part.double() for part in self))

    def tempered(self, temperature: Tensor) -> "Mixture":
        """Return each mixture at a temperature T > 0: unchanged at 1, narrower and with fewer components below.

        temperature: (…), one for each mixture. Scales are multiplied by T. Below 1 the lightest components are dropped
        while the others hold a share T^NUCLEUS_EXPONENT of the weight; the heaviest always stays. Latents are not
        shrunk: that would move draws between the modes of a mixture, where there are no colors.
        """
        order = self.log_weights.argsort(-1, descending=True)
        weights = self.log_weights.gather(-1, order).exp()
        lighter = weights.cumsum(-1) - weights >= temperature[..., None].clamp(max=1) ** NUCLEUS_EXPONENT
        lighter[..., 0] = False
        dropped = torch.zeros_like(lighter).scatter(-1, order, lighter) & (temperature[..., None] < 1)
        log_weights = F.log_softmax(self.log_weights.masked_fill(dropped, -math.inf), -1)
        scale = temperature.clamp_min(SMALLEST_TEMPERATURE).log()[..., None, None]
        return self._replace(log_weights=log_weights, log_scales=self.log_scales + scale)

    def heaviest(self) -> Tensor:
        """Return the mean of each mixture's heaviest component: (…, 2)."""
        index = self.log_weights.argmax(-1)[..., None, None].expand(*self.means.shape[:-1], 1)
        return self.means.gather(-1, index)[..., 0]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of (…, 2), (…) in nats."""
        return self._joint(x).logsumexp(-1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (…, 2) to Gaussian latents: z_a = Φ⁻¹(F(a)), z_b = Φ⁻¹(F(b | a)).

        Returns z (…, 2) and log |det ∂z/∂x| (…). Call it in float64, where tails are exact to |z| of about 30.
        Source: Huang et al. 2018, Neural Autoregressive Flows (arXiv 1804.00779); Ho et al. 2019, Flow++ (1902.00275).
        """
        first = self._first()
        z_a = first.latent(x[..., 0])
        z_b = self._second(x[..., 0]).latent(x[..., 1])
        z = torch.stack((z_a, z_b), -1)
        return z, self.log_prob(x) + 0.5 * z.square().sum(-1) + math.log(2 * math.pi)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map Gaussian latents (…, 2) to data; return x (…, 2) and log |det ∂x/∂z| (…)."""
        x = self._quantiles(z)
        return x, -(self.log_prob(x) + 0.5 * z.square().sum(-1) + math.log(2 * math.pi))

    def draw(self, z: Tensor, temperature: Tensor) -> Tensor:
        """Map (N, 2) Gaussian latents to draws, (N, 2) in float64, at temperatures (N,); without gradients.

        At temperature 0, a draw is the mean of the heaviest component, for any latents.
        """
        if z.device.type != "cpu":
            drawn = self.double().tempered(temperature.double())._quantiles(z.double())
            return torch.where(temperature[:, None] == 0, self.heaviest().double(), drawn)
        from model.flow.mixture_kernel import draw_rows  # late: it imports numba

        arrays = [part.detach().double().numpy() for part in (*self, temperature, z)]
        found = np.empty((len(z), 2))
        draw_rows(*arrays, NUCLEUS_EXPONENT, SMALLEST_TEMPERATURE, found)  # type: ignore[call-arg, arg-type] # numba's
        return torch.from_numpy(found)

    def attached(self, x: Tensor) -> Tensor:
        """Return draws, (…, 2), unchanged, with their gradients at fixed latents.

        Source: Figurnov et al. 2018, Implicit Reparameterization Gradients (arXiv 1805.08498).
        """
        a = self._first().attached(x[..., 0])
        return torch.stack((a, self._second(a).attached(x[..., 1])), -1)

    def _quantiles(self, z: Tensor) -> Tensor:
        a = self._first().quantile(z[..., 0])
        return torch.stack((a, self._second(a).quantile(z[..., 1])), -1)

    def _joint(self, x: Tensor) -> Tensor:
        """Log of wₖ·N(x; μₖ, Σₖ): (…, K)."""
        u = (x[..., None] - self.means) * torch.exp(-self.log_scales)
        a, b = u[..., 0, :], u[..., 1, :]
        rest = 1 - self.correlations.square()
        square = (a.square() - 2 * self.correlations * a * b + b.square()) / rest
        log_scale = self.log_scales.sum(-2) + 0.5 * torch.log(rest)
        return self.log_weights - 0.5 * square - log_scale - math.log(2 * math.pi)

    def _first(self) -> "_Marginal":
        return _Marginal(self.log_weights, self.means[..., 0, :], self.log_scales[..., 0, :].exp())

    def _second(self, a: Tensor) -> "_Marginal":
        """p(b | a): every component's weight becomes its share of p(a)."""
        mean_a, mean_b = self.means.unbind(-2)
        log_a, log_b = self.log_scales.unbind(-2)
        u = (a[..., None] - mean_a) * torch.exp(-log_a)
        log_weights = F.log_softmax(self.log_weights - 0.5 * u.square() - log_a, -1)
        scale_b = log_b.exp()
        return _Marginal(
            log_weights, mean_b + self.correlations * scale_b * u, scale_b * (1 - self.correlations.square()).sqrt()
        )


class _Marginal(NamedTuple):
    """A mixture of Gaussians on a line, (…, K) each."""

    log_weights: Tensor
    means: Tensor
    scales: Tensor

    def latent(self, x: Tensor) -> Tensor:
        """Φ⁻¹(F(x)), computed in the smaller tail, so that it is exact in both."""
        u = (x[..., None] - self.means) / self.scales
        below = (self.log_weights + torch.special.log_ndtr(u)).logsumexp(-1)
        above = (self.log_weights + torch.special.log_ndtr(-u)).logsumexp(-1)
        lower = below < above
        z = torch.special.ndtri(torch.where(lower, below, above).exp())
        return torch.where(lower, z, -z)

    def attached(self, x: Tensor) -> Tensor:
        """Return x with the gradient that F(x) = constant gives it: −∂F/∂parameters by the density."""
        u = (x[..., None] - self.means) / self.scales
        weights = self.log_weights.exp()
        below = (weights * torch.special.ndtr(u)).sum(-1)
        density = (weights / self.scales * torch.exp(-0.5 * u.square())).sum(-1) / math.sqrt(2 * math.pi)
        return x - (below - below.detach()) / density.detach().clamp_min(LEAST_DENSITY)

    def quantile(self, z: Tensor) -> Tensor:
        """Return F⁻¹(Φ(z)), which lies between the least and the largest of the components' own quantiles.

        Each round tries many points at once and keeps the interval between two of them: a GPU is not faster for one.
        """
        quantiles = self.means + self.scales * z[..., None]
        live = self.log_weights > -math.inf
        low = quantiles.masked_fill(~live, math.inf).amin(-1)
        width = quantiles.masked_fill(~live, -math.inf).amax(-1) - low
        lower = z < 0
        target = torch.special.log_ndtr(-z.abs())[..., None]
        scales = torch.where(lower, 1.0, -1.0)[..., None] * self.scales
        log_weights, means, scales = (each[..., None, :] for each in (self.log_weights, self.means, scales))
        cuts = torch.arange(1, SECTIONS, device=z.device, dtype=z.dtype)
        for _ in range(ROUNDS):
            width = width / SECTIONS
            points = low[..., None] + width[..., None] * cuts
            tails = (log_weights + torch.special.log_ndtr((points[..., None] - means) / scales)).logsumexp(-1)
            passed = (tails < target) == lower[..., None]  # the quantile lies to the right of the point
            low = low + width * passed.sum(-1)
        return low + width / 2

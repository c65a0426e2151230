"""The coarsest level: a*b* at 8×8, one cell after another, each given the photo and all cells before it.

A causal transformer turns the previous cells into a mixture of bivariate Gaussians for the next one, and the mixture's
conditional distribution functions turn the cell's a*b* into two Gaussian latents. So it is an exact flow, like the
coupling levels, but one that ties the cells of one object together. Below temperature 1, a distilled decoder draws; it
learned from the best of several draws.
Source: Huang et al. 2018 (arXiv 1804.00779); Kumar et al. 2021, Colorization Transformer (arXiv 2102.04432); Kim and
Rush 2016, Sequence-Level Knowledge Distillation (arXiv 1606.07947).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.cell_order import CALM_TEMPERATURE, DISTILLED_TEMPERATURE, cell_exponents, dispersed_order
from model.flow.cells import CellDecoder, CellStream
from model.flow.composition import module_list
from model.flow.condition import ConditionFeatures
from model.flow.config import AutoregressiveConfig
from model.flow.constants import FEATURE_CHANNELS, NORM_EPSILON, SMALL_LIGHTNESS
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS, SIDE
from model.flow.transformer import TransformerBlock

__all__ = ["AutoregressiveLevel", "DrawOrder"]


class DrawOrder(NamedTuple):
    """The cells of N draws in drawing order; given cells come first."""

    order: Tensor
    """(N, 64): cell indices in drawing order"""
    known: Tensor
    """(N, 64, 2): standardized a*b* of the cells that are given, NaN elsewhere"""
    latents: Tensor
    """(N, 64, 2)"""
    temperatures: Tensor
    """(N, 64): temperatures of the mixtures"""
    share: Tensor
    """(N,): weight of the level's own parameters of a mixture; the distilled decoder's have the rest"""
    ranks: Tensor
    """(N, 64): each cell's place in dispersed-dot order"""


class Free(NamedTuple):
    """N draws without given cells, in dispersed-dot order, whose colors may be kept."""

    cells: Tensor
    """(N, 64, 2), standardized"""
    log_prob: Tensor
    """(N, 64)"""
    tolerance: Tensor
    """(N,): see `AutoregressiveLevel.draw`"""

    def kept(self, rank: Tensor, mixture: Mixture, drawn: Tensor) -> Tensor:
        """Return the cell of each row at a rank, (N,), if its mixture allows to keep it, else the drawn one: (N, 2)."""
        rows = torch.arange(len(rank), device=rank.device)
        cells = self.cells[rows, rank]
        loss = self.log_prob[rows, rank] - mixture.log_prob(cells)
        keeps = (loss <= self.tolerance) & (self.tolerance > 0)
        return torch.where(keeps[:, None], cells.to(drawn.dtype), drawn)


class AutoregressiveLevel(CellDecoder):
    """Maps (B, 2, 8, 8) standardized a*b* to latents (B, 128), given the photo.

    Latents lie cell by cell in dispersed-dot order: z_a, z_b of the first cell, then of the second.
    """

    mean: Tensor
    std: Tensor
    order: Tensor
    exponents: Tensor

    def __init__(self, config: AutoregressiveConfig, generator: torch.Generator) -> None:
        super().__init__(config, generator)
        width = config.width
        self.decoder_places = nn.Parameter(0.02 * torch.randn(CELLS, width, generator=generator))
        self.config = config
        self.dims = 2 * CELLS
        self.register_buffer("mean", torch.zeros(2, 1, 1))
        self.register_buffer("std", torch.ones(2, 1, 1))
        self.register_buffer("order", torch.from_numpy(dispersed_order()), persistent=False)
        self.register_buffer("exponents", torch.from_numpy(cell_exponents()), persistent=False)

        projections = {
            name: nn.Linear(channels * max(size // SIDE, 1) ** 2, width, bias=False)
            for name, (size, channels) in FEATURE_CHANNELS.items()
        }
        self.projections = cast(Mapping[str, nn.Linear], nn.ModuleDict(projections))
        self.patch = SMALL_LIGHTNESS // 2 // SIDE
        self.lightness = nn.Linear(self.patch**2, width)
        self.places = nn.Parameter(0.02 * torch.randn(CELLS, width, generator=generator))
        self.encoder = module_list(TransformerBlock(width, config.heads) for _ in range(config.encoder_blocks))
        self.encoder_norm = nn.LayerNorm(width, NORM_EPSILON)

        self.before = nn.Linear(width, width)
        self.next = nn.Linear(width, width)

    def photo_condition(self, features: ConditionFeatures, lightness: Tensor) -> Tensor:
        """Compute what depends on the lightness alone, once per photo: (B, 64, width), cells row by row.

        features: from h. lightness: (B, 1, 128, 128), L* in [0, 100].
        """
        small = F.avg_pool2d(lightness / 50 - 1, 2)
        h = self.lightness(F.pixel_unshuffle(small, self.patch).flatten(2).mT)
        h = h + self.places.to(h.dtype)
        for name, projection in self.projections.items():
            feature = getattr(features, name)
            if feature.dim() == 2:
                h = h + projection(F.dropout(feature, self.config.dropout, self.training))[:, None]
                continue
            feature = F.dropout2d(feature, self.config.dropout, self.training)
            h = h + projection(F.pixel_unshuffle(feature, feature.shape[-1] // SIDE).flatten(2).mT)
        for block in self.encoder:
            h = block(h)
        return self.encoder_norm(h)

    def mixtures(self, x: Tensor, photo: Tensor, order: Tensor | None = None) -> Mixture:
        """Return every cell's mixture given the cells before it, all at once.

        x: (B, 64, 2) standardized a*b* of the cells in order. photo: from `photo_condition`. order: (64,) or (B, 64)
        cell indices; default: dispersed-dot order.
        """
        return self.decode(x, *self.told(photo.expand(len(x), -1, -1), self._orders(order, len(photo))))

    def log_prob(self, x: Tensor, photo: Tensor, order: Tensor | None = None) -> Tensor:
        """Return the log-density of standardized cells in any order: (B, 64) nats, without standardization's log-det.

        x: (B, 2, 8, 8) level data; see `mixtures` for the others.
        """
        cells, order = self.in_order(x, order)
        return self.mixtures(cells, photo, order).log_prob(cells)

    def forward(self, x: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, 2, 8, 8). Returns the latent (B, 128) and the log-det."""
        cells, _ = self.in_order(x)
        z, log_det = self.mixtures(cells, photo).double().forward(cells.double())
        return z.flatten(1).to(cells.dtype), log_det.sum(1).to(cells.dtype) - CELLS * self.std.log().sum()

    def in_order(self, x: Tensor, order: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Standardize level data, (B, 2, 8, 8), and order its cells: return (B, 64, 2) and the order, (B, 64)."""
        order = self._orders(order, len(x))
        return self._cells(x, order), order

    def inverse(self, z: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """z: (N, 128). Returns (N, 2, 8, 8) and the log-det of the inverse. photo: condition of N photos, or of one."""
        x = self.draw(z, photo, torch.ones(len(z), device=z.device), self)  # at 1, the distilled decoder is not used
        return x, -self(x, photo)[1]

    def draw(
        self,
        z: Tensor,
        photo: Tensor,
        temperature: Tensor,
        distilled: CellDecoder,
        given: Tensor | None = None,
        tolerance: Tensor | None = None,
    ) -> Tensor:
        """Invert latents cell by cell, from mixtures at a temperature, given some cells: (N, 2, 8, 8).

        At 1 and above, mixtures are the level's own. From DISTILLED_TEMPERATURE down to CALM_TEMPERATURE they are the
        distilled decoder's. Between 1 and the former, and below the latter, the two are interpolated; at 0 they are the
        level's. Below DISTILLED_TEMPERATURE, the mixtures' temperature falls from the first cells to the last, see
        `cell_exponents`. At 0 a cell has the mean of its mixture's heaviest component, for any latents.

        Given cells come first, so that the others are drawn given them. With a tolerance above 0, each other cell keeps
        the color that it has without given cells, unless these, and the cells before it, make that color less plausible
        by more nats than the tolerance. So an object follows a given cell of it, and the rest of the photo stays.

        z: (N, 128). photo: condition of N photos, or of one. temperature: (N,). distilled: a decoder of the same form
        as the level's own. given: (N, 2, 8, 8) level data of given cells, NaN elsewhere. tolerance: (N,) in nats;
        default 0: all other cells are drawn given these.
        Source of the comparison: Leviathan et al. 2023, Speculative Decoding (arXiv 2211.17192), here with a tolerance.
        """
        drawing, free = self.draw_order(z, temperature, given), None
        if given is not None and tolerance is not None and bool((tolerance > 0).any()):
            x, output = self._draw(self.draw_order(z, temperature, None), photo, distilled)
            free = Free(x, Mixture.from_output(output).log_prob(x), tolerance)
        return self.from_order(self._draw(drawing, photo, distilled, free)[0], drawing.order)

    def _draw(
        self, drawing: DrawOrder, photo: Tensor, distilled: CellDecoder, free: Free | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return standardized cells in drawing order, (N, 64, 2), and the parameters of their mixtures."""
        order, known, latents, temperatures, share, ranks = drawing
        told = self.told(photo.expand(len(order), -1, -1), order)
        decoders = ((self, share > 0), (distilled, share < 1))
        streams = [CellStream(decoder, *told) for decoder, draws in decoders if bool(draws.any())]
        x, outputs = torch.zeros_like(latents), []
        for i in range(CELLS):
            blended = [stream.next() for stream in streams]
            outputs.append(_blend(blended[0], blended[-1], share))
            mixture = Mixture.from_output(outputs[i])
            drawn = mixture.draw(latents[:, i], temperatures[:, i])
            if free is not None:
                drawn = free.kept(ranks[:, i], mixture, drawn)
            x[:, i] = torch.where(known[:, i].isfinite(), known[:, i].double(), drawn)
            for stream in streams:
                stream.tell(x[:, i : i + 1])
        return x, torch.stack(outputs, 1)

    def draw_order(self, z: Tensor, temperature: Tensor, given: Tensor | None) -> DrawOrder:
        """Choose the order of drawing, and the temperature and decoder of each cell; see `draw`."""
        order, known = self.known_first(given, len(z))
        ranks = self.order.argsort()[order]
        latents = z.view(-1, CELLS, 2).gather(1, ranks[..., None].expand(-1, -1, 2))
        colder = (temperature / DISTILLED_TEMPERATURE).clamp(max=1)[:, None] ** self.exponents[ranks]
        warm = (temperature - DISTILLED_TEMPERATURE) / (1 - DISTILLED_TEMPERATURE)
        share = torch.maximum(warm, 1 - temperature / CALM_TEMPERATURE).clamp_min(0)
        share = torch.where(temperature < 1, share, torch.ones_like(share))  # exactly
        return DrawOrder(order, known, latents, colder * temperature.clamp_min(1)[:, None], share, ranks)

    def from_order(self, x: Tensor, order: Tensor) -> Tensor:
        """Convert standardized cells, (N, 64, 2) in an order, to level data: (N, 2, 8, 8)."""
        return self.from_rows(torch.zeros_like(x).scatter(1, order[..., None].expand(-1, -1, 2), x))

    def from_rows(self, x: Tensor) -> Tensor:
        """Convert standardized cells, (N, 64, 2) row by row, to level data: (N, 2, 8, 8)."""
        return x.mT.reshape(-1, 2, SIDE, SIDE) * self.std + self.mean

    def standardize(self, x: Tensor) -> Tensor:
        """Standardize level data for the network."""
        return (x - self.mean) / self.std

    def known_first(self, given: Tensor | None, rows: int) -> tuple[Tensor, Tensor]:
        """Return each row's order of cells, (N, 64), and the given cells in that order, (N, 64, 2), NaN elsewhere."""
        if given is None:
            return self.order.expand(rows, -1), self.mean.new_full((rows, CELLS, 2), math.nan)
        order = self.given_first(given.isfinite().all(1).flatten(1))
        return order, self._cells(given, order)

    def given_first(self, given: Tensor) -> Tensor:
        """Return each row's order of cells, (N, 64), given cells first. given: (N, 64) bool, row by row."""
        others_last = torch.argsort(given[:, self.order].to(torch.uint8), dim=1, descending=True, stable=True)
        return self.order[others_last]

    def told(self, photo: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        """Return the photo's condition of each cell as the next one and as a past one; see `CellDecoder`."""
        cells = photo.gather(1, order[..., None].expand(-1, -1, photo.shape[-1]))
        places = self.decoder_places[order]
        return self.next(cells) + places.to(cells.dtype), self.before(cells) + places.to(cells.dtype)

    def _cells(self, x: Tensor, order: Tensor) -> Tensor:
        cells = self.standardize(x).flatten(2).mT
        return cells.gather(1, order[..., None].expand(len(cells), -1, 2))

    def _orders(self, order: Tensor | None, rows: int) -> Tensor:
        order = self.order if order is None else order
        return order.expand(rows, -1) if order.dim() == 1 else order


def _blend(own: Tensor, distilled: Tensor, share: Tensor) -> Tensor:
    """Interpolate parameters, (N, 6·K), component by component: `own` at a share, (N,), of 1, `distilled` at 0.

    The distilled decoder began as a copy of the level's own, so its components are the same.
    """
    blended = torch.lerp(distilled, own, share[:, None].to(own.dtype))
    # exact: other rows of the chunk decide whether both decoders run
    return torch.where(share[:, None] >= 1, own, torch.where(share[:, None] <= 0, distilled, blended))

"""A causal transformer over the cells of the coarsest a*b*: it predicts each cell from those before.

The coarsest level and the decoder distilled from it are such transformers and see the photo; the prior is a small one
that does not.
"""

import math

import torch
from torch import Tensor, nn

from model.flow.cell_order import causal_mask
from model.flow.composition import module_list
from model.flow.config import AutoregressiveConfig, PriorConfig
from model.flow.constants import CHROMA_LIMIT, FREQUENCIES, NORM_EPSILON
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS
from model.flow.transformer import Cache, TransformerBlock

__all__ = ["CellDecoder", "CellStream", "ChromaEmbedding", "Prior"]


class ChromaEmbedding(nn.Linear):
    """Embeds standardized a*b* for a transformer, (…, 2) to (…, width): the values, their sines and cosines."""

    def __init__(self, width: int) -> None:
        super().__init__(2 + 4 * len(FREQUENCIES), width)

    def forward(self, x: Tensor) -> Tensor:
        """x: any floating type; the result has the weights'."""
        seen = x.clamp(-CHROMA_LIMIT, CHROMA_LIMIT)
        waves = [wave(f * seen) for f in FREQUENCIES for wave in (torch.sin, torch.cos)]
        return super().forward(torch.cat((seen, *waves), -1).to(self.weight.dtype))


class CellDecoder(nn.Module):
    """Predicts each cell's mixture, given the cells before it in order.

    Further conditions of a cell come in two maps, (B, 64, width) in the cells' order: `upcoming` is used when the cell
    is next, `past` once it is drawn.
    """

    mask: Tensor

    def __init__(self, config: AutoregressiveConfig | PriorConfig, generator: torch.Generator) -> None:
        super().__init__()
        width = config.width
        self.register_buffer("mask", torch.from_numpy(causal_mask()), persistent=False)
        self.chroma = ChromaEmbedding(width)
        self.start = nn.Parameter(torch.zeros(width))
        self.decoder = module_list(TransformerBlock(width, config.heads) for _ in range(config.decoder_blocks))
        self.decoder_norm = nn.LayerNorm(width, NORM_EPSILON)
        self.output = nn.Linear(width, 6 * config.components)
        self._start_output(config.components, generator)

    def decode(self, x: Tensor, upcoming: Tensor, past: Tensor) -> Mixture:
        """Return every cell's mixture given the cells before it, all at once. x: (B, 64, 2) standardized a*b*."""
        before = self.chroma(x) + past
        start = self.start.to(before.dtype).expand(len(x), 1, -1)
        h = torch.cat((start, before[:, :-1]), 1) + upcoming
        for block in self.decoder:
            h = block(h, self.mask)
        return Mixture.from_output(self.finish(h))

    def finish(self, h: Tensor) -> Tensor:
        """Turn the last block's output into mixture parameters, (…, 6·K); see `Mixture.from_output`."""
        with torch.autocast(h.device.type, enabled=False):  # colors need more than the 8 bits of bfloat16
            return self.output(self.decoder_norm(h.to(self.output.weight.dtype)))  # type: ignore[no-any-return]

    def _start_output(self, components: int, generator: torch.Generator) -> None:
        """Initialize the components: spread out, small and with equal weights."""
        nn.init.normal_(self.output.weight, std=0.01, generator=generator)
        with torch.no_grad():
            bias = self.output.bias.view(6, components)
            bias.zero_()
            bias[1:3] = 0.7 * torch.randn(2, components, generator=generator)
            bias[3:5] = math.log(0.5)


class CellStream:
    """Stepwise drawing of cells, N rows at once, with cached keys and values of drawn cells."""

    def __init__(self, decoder: CellDecoder, upcoming: Tensor, past: Tensor) -> None:
        """See `CellDecoder`: (N, 64, width)."""
        self._decoder, self._upcoming, self._past = decoder, upcoming, past
        self._caches = [Cache(upcoming, block.heads) for block in decoder.decoder]
        self._before = decoder.start.expand(len(upcoming), 1, -1)
        self._place = 0

    def next(self) -> Tensor:
        """Return the parameters of the next cell's mixture, (N, 6·K), for each row; see `Mixture.from_output`."""
        h = self._before + self._upcoming[:, self._place : self._place + 1]
        for block, cache in zip(self._decoder.decoder, self._caches, strict=True):
            h = block.step(h, cache, self._place)
        return self._decoder.finish(h[:, 0])

    def tell(self, x: Tensor) -> None:
        """Add the a*b* of that cell, (N, 1, 2)."""
        self._before = self._decoder.chroma(x) + self._past[:, self._place : self._place + 1]
        self._place += 1


class Prior(CellDecoder):
    """The prior p(cells), independent of the photo, which guidance divides out of mixtures. Only for training."""

    def __init__(self, config: PriorConfig, generator: torch.Generator) -> None:
        super().__init__(config, generator)
        self.decoder_places = nn.Parameter(0.02 * torch.randn(CELLS, config.width, generator=generator))

    def log_prob(self, x: Tensor, order: Tensor) -> Tensor:
        """Log-density of (B, 64, 2) standardized a*b* of the cells in an order, (B, 64): (B, 64) in nats."""
        places = self.decoder_places[order]
        return self.decode(x, places, places).log_prob(x)

    def stream(self, order: Tensor) -> CellStream:
        """Begin a stream of cells drawn in an order, (N, 64)."""
        places = self.decoder_places[order]
        return CellStream(self, places, places)

"""Transformer blocks over the cells of the coarsest a*b*."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.composition import zeroed
from model.flow.constants import NORM_EPSILON

__all__ = ["Cache", "TransformerBlock"]

WIDENING = 4
"""Hidden units of the feed-forward layers, as a multiple of the width."""


class Cache:
    """Keys and values of one block for some tokens, filled one token at a time."""

    def __init__(self, tokens: Tensor, heads: int) -> None:
        """tokens: (rows, length, width), an example of the later tokens' shape and type."""
        rows, length, width = tokens.shape
        self.keys = tokens.new_zeros(rows, heads, length, width // heads)
        self.values = torch.zeros_like(self.keys)

    def push(self, place: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store one token's (rows, heads, 1, head_width) at a place; return all up to and including it."""
        self.keys[:, :, place] = key[:, :, 0]
        self.values[:, :, place] = value[:, :, 0]
        return self.keys[:, :, : place + 1], self.values[:, :, : place + 1]


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)); both branches start at zero.

    Attention is written out: on CPUs its gradient is then several times faster than with torch's fused one.
    Source: Vaswani et al. 2017 (arXiv 1706.03762), normalized first as in Xiong et al. 2020 (arXiv 2002.04745).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, NORM_EPSILON)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = zeroed(nn.Linear(width, width))
        self.feed_forward_norm = nn.LayerNorm(width, NORM_EPSILON)
        self.expand = nn.Linear(width, WIDENING * width)
        self.contract = zeroed(nn.Linear(WIDENING * width, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Process all tokens at once.

        x: (B, T, width). mask: (T, T), added to the attention's scores; −∞ hides a token.
        """
        query, key, value = self._split(x)
        scores = query @ key.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask.to(scores.dtype)
        return self._finish(x, scores.softmax(-1) @ value)

    def step(self, x: Tensor, cache: Cache, place: int) -> Tensor:
        """Process one token, which attends to those before it: (B, 1, width) to (B, 1, width)."""
        query, key, value = self._split(x)
        keys, values = cache.push(place, key, value)
        return self._finish(x, (query @ keys.transpose(-1, -2)).softmax(-1) @ values)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        return query / math.sqrt(query.shape[-1]), key, value

    def _finish(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.project(attended.transpose(1, 2).flatten(2))
        return x + self.contract(F.relu(self.expand(self.feed_forward_norm(x))))

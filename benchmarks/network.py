"""The network for benchmarks: loading it with its compiled graphs, and decoding given latents."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model import colorizer
from model.drawing.passes import Decoded, Passes
from model.drawing.runtimes.runtime import Condition, Floats
from service.loading import user_cache, weights_file
from service.settings import Settings

__all__ = ["decode", "load_colorizer"]


def load_colorizer(weights: Path, device: str) -> colorizer.CinnColorizer:
    """Load weights, from a file or from a folder that holds one, with their compiled graphs from the cache.

    Raises FileNotFoundError, CheckpointError or InputError.
    """
    return colorizer.load_colorizer(weights_file(weights), device, Settings().cache or user_cache())


def decode(passes: Passes, condition: Condition, latents: Sequence[Floats]) -> Decoded:
    """Decode (N, dim) latents of each level at temperature 1. Raises NonFiniteError."""
    (drawn,) = passes.draw_coarsest([condition], [latents[0]], [np.ones(len(latents[0]), np.float32)], [None], [0.0])
    (decoded,) = passes.add_details([condition], [drawn], [latents[1:]])
    return decoded

"""Loading: the trained model, warmed up, and a task that shows whether it still works."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from model.protocol import Colorizer, DrawTask, SampleOptions
from service.settings import Settings

__all__ = ["Load", "Loaded", "load_and_warm_up", "load_colorizer", "user_cache"]

Load = Callable[[Settings], Colorizer]
WARM_UP_SIDE = 256  # pixels


class Loaded(NamedTuple):
    """A model that has colorized once."""

    steps: Colorizer
    canary: DrawTask
    """a small task, for health checks"""


def load_colorizer(settings: Settings) -> Colorizer:
    """Load the trained weights, from a file or from a folder that holds one.

    Raises FileNotFoundError, or what the model raises. Imports torch only now: around another model, none is needed.
    """
    found = sorted(settings.weights.glob("*.safetensors")) if settings.weights.is_dir() else [settings.weights]
    if len(found) != 1:
        raise FileNotFoundError(f"{settings.weights}: expected one .safetensors file, got {len(found)}")
    from model.colorizer import load_colorizer, one_thread_each

    colorizer = load_colorizer(found[0], settings.device, settings.cache or user_cache())
    one_thread_each()  # passes run side by side
    return colorizer


def user_cache() -> Path | None:
    """Return the folder of the user's own cache that is for tintflow; None for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "tintflow"
    except RuntimeError:
        return None


def load_and_warm_up(load: Load, settings: Settings, warm_up: bool = True) -> Loaded:
    """Load the model and colorize a ramp with it, so that the first request is as fast as any.

    warm_up: without it, that is left to the first request.
    """
    steps = load(settings)
    ramp = np.linspace(0, 255, WARM_UP_SIDE).astype(np.uint8)
    photo = np.tile(ramp, (WARM_UP_SIDE, 1))
    canary = DrawTask(steps.shrink(photo), SampleOptions(n=1, seed=0))
    if warm_up:
        (drawn,) = steps.draw_all([canary])
        for _ in steps.finish(photo, drawn):
            pass
    return Loaded(steps, canary)

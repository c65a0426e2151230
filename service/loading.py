"""Loading: the trained model, warmed up."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread, main_thread

import numpy as np
import structlog

from model.errors import TORCH_MISSING
from model.options import SampleOptions
from model.protocol import Colorizer, DrawTask
from service.settings import Settings

__all__ = ["Load", "fill_cache", "load_and_warm_up", "load_colorizer", "small_task", "user_cache", "weights_file"]

Load = Callable[[Settings], Colorizer]
RAMP = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (256, 1))
"""photo that is colorized first"""
PAUSE_SECONDS = 1.0
"""Pause between two graphs prepared in the background, so that the first requests have the processors"""

log = structlog.get_logger()


def load_colorizer(settings: Settings) -> Colorizer:
    """Load the trained weights, from a file or from a folder that holds one.

    Raises FileNotFoundError, or the model's errors. Imports the model late: with another one, it is not needed.
    """
    file = weights_file(settings.weights)
    from model.colorizer import lacks_torch, load_colorizer

    if settings.device == "auto" and lacks_torch():
        log.warning("gpu_not_used", reason=TORCH_MISSING)
    return load_colorizer(file, settings.device, settings.cache or user_cache())


def weights_file(path: Path) -> Path:
    """Return the file of weights that a path names: itself, or the only one in a folder. Raises FileNotFoundError."""
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(found) != 1:
        raise FileNotFoundError(f"{path}: expected one .safetensors file, got {len(found)}")
    return found[0]


def user_cache() -> Path | None:
    """Return tintflow's folder in the user's cache; None for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "tintflow"
    except RuntimeError:
        return None


def load_and_warm_up(load: Load, settings: Settings, warm_up: bool = True) -> Colorizer:
    """Load the model and colorize a ramp with it, so that the first request is as fast as later ones.

    warm_up: if False, the first request does this work.
    """
    steps = load(settings)
    if warm_up:
        (drawn,) = steps.draw_all([small_task(steps)])
        for _ in steps.finish(RAMP, drawn):
            pass
        # never a daemon: ended inside OpenVINO, it would abort the process
        Thread(target=_prepare_rest, args=(steps,), name="rest", daemon=False).start()
    return steps


def small_task(steps: Colorizer) -> DrawTask:
    """Return what shows whether a model works."""
    return DrawTask(steps.shrink(RAMP), SampleOptions(n=1, seed=0))


def _prepare_rest(steps: Colorizer) -> None:
    """Load or compile the other graphs in the background. After a failure, the first request that needs one does it."""
    try:
        if _pause():
            for _ in steps.prepare_rest():
                if not _pause():
                    return
    except Exception as error:  # after any error, requests go on
        log.warning("not_prepared", reason=f"{type(error).__name__}: {error}")


def _pause() -> bool:
    """Leave the processors to requests for a while; return whether the process is still running."""
    main_thread().join(PAUSE_SECONDS)
    return main_thread().is_alive()


def fill_cache(settings: Settings) -> None:
    """Compile the network for all kinds of requests into an image's cache, which is read-only later."""
    for _ in load_and_warm_up(load_colorizer, settings).prepare_rest():
        pass

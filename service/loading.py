"""How the service gets the trained model."""

import os

from model.protocol import Colorizer
from service.settings import Settings

__all__ = ["load_colorizer"]


def load_colorizer(settings: Settings) -> Colorizer:
    """Load the trained weights, from a file or from a folder that holds one.

    Raises FileNotFoundError, or what the model raises. Imports torch only now: around another model, none is needed.
    """
    # OpenMP's threads spin while they wait for each other:
    # on cores that other programs use too, a pass then takes many times as long
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from model.colorizer import load_colorizer

    found = sorted(settings.weights.glob("*.safetensors")) if settings.weights.is_dir() else [settings.weights]
    if len(found) != 1:
        raise FileNotFoundError(f"{settings.weights}: expected one .safetensors file, got {len(found)}")
    return load_colorizer(found[0], settings.device)

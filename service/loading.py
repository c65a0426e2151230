"""How the service gets the trained model."""

from model.protocol import Colorizer
from service.settings import Settings

__all__ = ["load_colorizer"]


def load_colorizer(settings: Settings) -> Colorizer:
    """Load the trained weights, from a file or from a folder that holds one.

    Raises FileNotFoundError, or what the model raises. Imports torch only now: around another model, none is needed.
    """
    found = sorted(settings.weights.glob("*.safetensors")) if settings.weights.is_dir() else [settings.weights]
    if len(found) != 1:
        raise FileNotFoundError(f"{settings.weights}: expected one .safetensors file, got {len(found)}")
    from model.colorizer import load_colorizer
    from model.device import one_thread_each

    colorizer = load_colorizer(found[0], settings.device)
    one_thread_each()  # passes run side by side
    return colorizer

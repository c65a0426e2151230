"""The cINN as arrays: its configuration and its weights by name, without torch. Graphs for CPUs are built from it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import CheckpointError
from model.flow.config import CinnConfig

if TYPE_CHECKING:
    from model.flow.cinn import Cinn

__all__ = ["CinnArrays", "Layers"]


class Layers(SimpleNamespace):
    """Weights by the names of torch's modules: `layers.stages[0].weight` is the array `stages.0.weight`.

    A name gives an array or the layers below it. Layers in a list have numbers as names.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """arrays: by full name, as in a state dict."""
        here: dict[str, Any] = {}
        below: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        for name, array in arrays.items():
            first, _, rest = name.partition(".")
            if rest:
                below[first][rest] = array
            else:
                here[first] = array
        super().__init__(**here, **{name: Layers(each) for name, each in below.items()})

    def __getattr__(self, name: str) -> Any:
        """Raise MissingLayerError for a missing name."""
        raise MissingLayerError(f"the weights hold no {name}")

    def __contains__(self, name: str) -> bool:
        return name in vars(self)

    def __getitem__(self, name: int | str) -> Any:
        return getattr(self, str(name))

    def __iter__(self) -> Iterator["Layers"]:
        return (self[i] for i in range(len(vars(self))))

    def are_finite(self) -> bool:
        parts = vars(self).values()
        return all(part.are_finite() if isinstance(part, Layers) else np.isfinite(part).all() for part in parts)


class MissingLayerError(CheckpointError, AttributeError):
    """Weights lack an array that their configuration asks for."""


class CinnArrays(NamedTuple):
    """A cINN's configuration and weights."""

    config: CinnConfig
    layers: Layers
    """named like the modules of `model.flow.cinn.Cinn`"""
    parameters: int
    """number of trainable parameters"""

    @classmethod
    def of(cls, cinn: "Cinn") -> "CinnArrays":
        """Take the arrays of a network in memory; on a CPU, they share its memory."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in cinn.state_dict().items()}
        return cls(cinn.config, Layers(arrays), sum(each.numel() for each in cinn.parameters()))

    @classmethod
    def of_file(cls, config: CinnConfig, arrays: Mapping[str, NDArray[Any]]) -> "CinnArrays":
        """Take the arrays of a file, in which `save_checkpoint` keeps parameters in float16, all else in float32."""
        return cls(config, Layers(arrays), sum(each.size for each in arrays.values() if each.dtype == np.float16))

"""A network as arrays: its file and the network in memory give the same."""

from pathlib import Path

import numpy as np
import pytest

from model.errors import CheckpointError
from model.flow.arrays import CinnArrays, Layers
from model.flow.checkpoint import Checkpoint, open_checkpoint


def flat(layers: Layers, prefix: str = "") -> dict[str, np.ndarray]:
    found = {}
    for name, part in vars(layers).items():
        found |= flat(part, f"{prefix}{name}.") if isinstance(part, Layers) else {prefix + name: part}
    return found


def test_a_file_and_its_network_have_the_same_arrays(tiny_checkpoint: Checkpoint, tiny_weights: Path) -> None:
    stored = open_checkpoint(tiny_weights)
    read, of_module = stored.arrays, CinnArrays.of(stored.cinn)
    assert (read.config, read.parameters) == (of_module.config, of_module.parameters)
    assert read.config == tiny_checkpoint.cinn.config
    ours, theirs = flat(read.layers), flat(of_module.layers)
    assert ours.keys() == theirs.keys() == stored.cinn.state_dict().keys()
    assert all(np.array_equal(ours[name].astype(np.float32), theirs[name]) for name in ours)


def test_layers_are_found_by_name_and_number() -> None:
    layers = Layers({"blocks.0.weight": np.zeros(1), "blocks.1.weight": np.ones(1), "std": np.ones(2)})
    assert [float(each.weight[0]) for each in layers.blocks] == [0, 1]
    assert layers.blocks[1] is layers["blocks"]["1"]
    assert "bias" not in layers.blocks[0]
    with pytest.raises(CheckpointError, match="hold no bias"):
        layers.blocks[0].bias  # noqa: B018 - it is the access that fails

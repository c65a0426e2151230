"""Records of what a folder of training belongs to, so that its contents are not reused for anything else."""

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch

from model.errors import InputError
from model.flow.condition import ConditionNetwork
from model.flow.constants import FEATURE_CHANNELS
from model.flow.weights_file import write_whole
from training.features import DONE
from training.processes import Processes

__all__ = ["claim", "claim_scales"]

SCALES = "scales.safetensors"
SCALES_TOLERANCE = 0.03
"""Mean change of a feature's channels, in standard deviations: below 0.02 from bfloat16 to float32, above 0.06 from 300
photos to others of the same kind"""


def claim(processes: Processes, file: Path, option: str, belongs: Mapping[str, str]) -> None:
    """Record in a folder what it belongs to, so that its contents are not reused for anything else.

    Only the first process writes. Raises InputError, which names the option, if it belongs to something else.
    """
    if not processes.first:
        return
    known, told = file.read_text() if file.exists() else "", json.dumps(belongs)
    if known and known != told:
        begun = "a new folder, or the data, weights and draws that this one was begun with"
        raise InputError(option, begun, str(file.parent))
    if not known:  # missing, or empty after a full disk
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(told)


def claim_scales(folder: Path, network: ConditionNetwork) -> None:
    """Record in a folder without finished features how h standardizes them; see `claim`.

    Raises InputError if h has other scales, as from other photos. Computed from the same photos on another processor,
    they differ by far less than SCALES_TOLERANCE. A folder of earlier releases has none, and is not checked.
    """
    file = folder / SCALES
    ours = {name: value.cpu() for name, value in network.named_buffers()}
    if not file.exists():
        if not any(folder.glob(f"*/{DONE}")):
            write_whole(file, safetensors.torch.save(ours))
        return
    known = safetensors.torch.load(file.read_bytes())
    for name in FEATURE_CHANNELS:
        mean, std = known[f"mean_{name}"], known[f"std_{name}"]
        changes = (ours[f"mean_{name}"] - mean) / std, ours[f"std_{name}"] / std - 1
        if any(change.abs().mean() > SCALES_TOLERANCE for change in changes):
            begun = "a new folder, or weights whose h was standardized over the same photos"
            raise InputError("features", begun, str(folder))

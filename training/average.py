"""The mean of weights from several ends of one training, which often has a lower loss than each."""

from collections.abc import Sequence
from pathlib import Path

import torch

from model.errors import InputError
from model.flow.checkpoint import load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn

__all__ = ["average"]


def average(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of checkpoints that started from the same weights; all but weights comes from the first.

    Raises InputError for no checkpoint, or for networks with different configurations or buffers, such as a*b* scales:
    these did not start from the same weights.
    Source: Izmailov et al. 2018, Averaging Weights Leads to Wider Optima (arXiv 1803.05407).
    """
    checkpoints = [load_checkpoint(path) for path in paths]
    if not checkpoints or not all(_alike(each.cinn, checkpoints[0].cinn) for each in checkpoints):
        raise InputError("weights", "checkpoints of one training", [str(path) for path in paths])
    states = [dict(each.cinn.named_parameters()) for each in checkpoints]
    with torch.no_grad():
        for name, parameter in states[0].items():
            parameter.copy_(torch.stack([state[name] for state in states]).mean(0))
    save_checkpoint(checkpoints[0], out)


def _alike(one: Cinn, other: Cinn) -> bool:
    pairs = zip(one.buffers(), other.buffers(), strict=True)
    return one.config == other.config and all(torch.equal(*pair) for pair in pairs)

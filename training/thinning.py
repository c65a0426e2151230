"""Channel pruning of finer levels: their blocks keep the channels with the largest weights."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from model.errors import InputError
from model.flow.cinn import Cinn
from model.flow.config import DetailConfig
from model.flow.detail_level import DetailLevel
from model.flow.residual import ResidualBlock

__all__ = ["strongest_shares", "thin"]


@torch.no_grad()
def thin(cinn: Cinn, details: Sequence[DetailConfig]) -> Cinn:
    """Return a copy of a network with finer levels of the `joint_width` and `width` of these configurations.

    Keeps the hidden channels with the largest product of two norms: of the weights into and out of the channel. The
    levels lose part of their function; `ThinnedObjective` teaches it again. Raises InputError if anything but these
    widths differs, if one is larger, or if none is smaller.
    Source: Li et al. 2017, Pruning Filters for Efficient ConvNets (arXiv 1608.08710), who use only the weights into a
    channel.
    """
    _check(cinn.config.details, details)
    thinner = Cinn(replace(cinn.config, details=tuple(details)))
    weights = {name: value for name, value in cinn.state_dict().items() if not name.startswith("details.")}
    thinner.load_state_dict(weights, strict=False)
    for wide, level in zip(cinn.details, thinner.details, strict=True):
        _thin(wide, level)
    return thinner


def _check(wide: Sequence[DetailConfig], thin: Sequence[DetailConfig]) -> None:
    if len(thin) != len(wide) or any(
        replace(each, width=other.width, joint_width=other.joint_width) != other
        for each, other in zip(thin, wide, strict=True)
    ):
        raise InputError("details", "levels that differ in width and joint_width alone", [each.size for each in thin])
    pairs = [(_widths(each), _widths(other)) for each, other in zip(thin, wide, strict=True)]
    if any(one > other for each in pairs for one, other in zip(*each, strict=True)) or all(a == b for a, b in pairs):
        raise InputError("width", "fewer channels than the weights have", [widths for widths, _ in pairs])


def _widths(config: DetailConfig) -> tuple[int, int]:
    return config.width, config.joint_width or config.condition_width


def strongest_shares(wide: DetailLevel, width: int) -> Tensor:
    """Return the kept shares of a level, (blocks·width,), if each coupling's subnet keeps this many channels."""
    weights = wide.shares.weight.chunk(wide.config.blocks)
    found = []
    for i, (subnet, share) in enumerate(zip(wide.subnets, weights, strict=True)):
        into = torch.cat((subnet.first.weight.flatten(1), share.flatten(1)), 1)
        found.append(_strongest(into, subnet.middle.weight, width) + i * wide.config.width)
    return torch.cat(found)


def _thin(wide: DetailLevel, level: DetailLevel) -> None:
    """Fill a level with a wider one's weights."""
    kept = wide.state_dict()
    changed = ("joint.", "shares.", "couplings.")
    level.load_state_dict({k: v for k, v in kept.items() if not k.startswith(changed)}, strict=False)
    for old, new in cast(Iterable[tuple[ResidualBlock, ResidualBlock]], zip(wide.joint, level.joint, strict=True)):
        hidden = _strongest(old.first.weight, old.last.weight, len(new.first.weight))
        _copy(new.first, old.first, hidden)
        _copy(new.last, old.last, None, hidden)
    shares, width = strongest_shares(wide, level.config.width), level.config.width
    _copy(level.shares, wide.shares, shares)
    for i, (of_wide, subnet) in enumerate(zip(wide.subnets, level.subnets, strict=True)):
        first = shares[i * width : (i + 1) * width] - i * wide.config.width
        last = _strongest(of_wide.middle.weight, of_wide.last.weight, width)
        _copy(subnet.first, of_wide.first, first)
        _copy(subnet.middle, of_wide.middle, last, first)
        _copy(subnet.last, of_wide.last, None, last)


def _strongest(into: Tensor, out_of: Tensor, count: int) -> Tensor:
    """Return the hidden channels, in order, with the largest weights. into: (C, …). out_of: (D, C, …)."""
    strength = into.flatten(1).norm(dim=1) * out_of.transpose(0, 1).flatten(1).norm(dim=1)
    return strength.topk(count).indices.sort().values


def _copy(layer: nn.Conv2d, other: nn.Conv2d, outputs: Tensor | None = None, inputs: Tensor | None = None) -> None:
    """Fill a layer with the named channels of another; None: all."""
    kept = other.state_dict()
    weight, bias = (kept[name] if outputs is None else kept[name][outputs] for name in ("weight", "bias"))
    layer.load_state_dict({"weight": weight if inputs is None else weight[:, inputs], "bias": bias})

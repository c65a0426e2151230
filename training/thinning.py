"""Thinner finer levels: fewer channels inside their blocks, which keep those that carry most."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.config import DetailConfig
from model.flow.coupling import ConvSubnet
from model.flow.detail_level import DetailLevel

__all__ = ["strongest_shares", "subnets_of", "thin"]


@torch.no_grad()
def thin(cinn: Cinn, details: Sequence[DetailConfig]) -> Cinn:
    """Return a copy of a network whose finer levels have these `joint_width` and `width`; all else must be the same.

    A hidden channel stays if the product of the norms of the weights that lead to it and from it is among the largest
    (Molchanov et al. 2017, arXiv 1611.06440, compare such measures). What the levels computed is lost in part, so they
    have to be trained again; see `training.objectives.thinned`.
    """
    thinner = Cinn(replace(cinn.config, details=tuple(details)))
    levels = ("details.",)
    thinner.load_state_dict({k: v for k, v in cinn.state_dict().items() if not k.startswith(levels)}, strict=False)
    for wide, level in zip(cinn.details, thinner.details, strict=True):
        _thin(wide, level)
    return thinner


def strongest_shares(wide: DetailLevel, width: int) -> Tensor:
    """Return which of a level's shares stay, (blocks·width,), if each coupling's subnet keeps so many channels."""
    weights = wide.shares.weight.chunk(wide.config.blocks)
    found = []
    for i, (subnet, share) in enumerate(zip(subnets_of(wide), weights, strict=True)):
        into = torch.cat((subnet.first.weight.flatten(1), share.flatten(1)), 1)
        found.append(_strongest(into, subnet.middle.weight, width) + i * wide.config.width)
    return torch.cat(found)


def subnets_of(level: DetailLevel) -> list[ConvSubnet]:
    """Return the subnets of a level's couplings."""
    return [each for each in (coupling.subnet for coupling in level.couplings) if isinstance(each, ConvSubnet)]


def _thin(wide: DetailLevel, level: DetailLevel) -> None:
    """Fill a level with a wider one's weights."""
    kept = wide.state_dict()
    changed = ("joint.", "shares.", "couplings.")
    level.load_state_dict({k: v for k, v in kept.items() if not k.startswith(changed)}, strict=False)
    for old, new in zip(wide.joint, level.joint, strict=True):
        hidden = _strongest(old.first.weight, old.last.weight, len(new.first.weight))
        _copy(new.first, old.first.weight[hidden], old.first.bias[hidden])
        _copy(new.last, old.last.weight[:, hidden], old.last.bias)
    shares, width = strongest_shares(wide, level.config.width), level.config.width
    _copy(level.shares, wide.shares.weight[shares], wide.shares.bias[shares])
    for i, (old, new) in enumerate(zip(subnets_of(wide), subnets_of(level), strict=True)):
        first = shares[i * width : (i + 1) * width] - i * wide.config.width
        last = _strongest(old.middle.weight, old.last.weight, width)
        _copy(new.first, old.first.weight[first], old.first.bias[first])
        _copy(new.middle, old.middle.weight[last][:, first], old.middle.bias[last])
        _copy(new.last, old.last.weight[:, last], old.last.bias)


def _strongest(into: Tensor, out_of: Tensor, count: int) -> Tensor:
    """Return the hidden channels, in order, with the largest weights. into: (C, …). out_of: (D, C, …)."""
    strength = into.flatten(1).norm(dim=1) * out_of.transpose(0, 1).flatten(1).norm(dim=1)
    return strength.topk(count).indices.sort().values


def _copy(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)

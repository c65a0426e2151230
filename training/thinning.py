"""Thinner finer levels: fewer channels inside their blocks, which keep those that carry most."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from model.flow.cinn import Cinn
from model.flow.config import DetailConfig
from model.flow.coupling import ConvSubnet
from model.flow.detail_level import DetailLevel
from model.flow.residual import ResidualBlock

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


def _joint(level: DetailLevel) -> list[ResidualBlock]:
    return [each for each in level.joint if isinstance(each, ResidualBlock)]


def _thin(wide: DetailLevel, level: DetailLevel) -> None:
    """Fill a level with a wider one's weights."""
    kept = wide.state_dict()
    changed = ("joint.", "shares.", "couplings.")
    level.load_state_dict({k: v for k, v in kept.items() if not k.startswith(changed)}, strict=False)
    for old, new in zip(_joint(wide), _joint(level), strict=True):
        hidden = _strongest(old.first.weight, old.last.weight, len(new.first.weight))
        _copy(new.first, old.first, hidden)
        _copy(new.last, old.last, None, hidden)
    shares, width = strongest_shares(wide, level.config.width), level.config.width
    _copy(level.shares, wide.shares, shares)
    for i, (of_wide, subnet) in enumerate(zip(subnets_of(wide), subnets_of(level), strict=True)):
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
    """Fill a layer with those channels of another that are named; None: all."""
    kept = other.state_dict()
    weight, bias = (kept[name] if outputs is None else kept[name][outputs] for name in ("weight", "bias"))
    layer.load_state_dict({"weight": weight if inputs is None else weight[:, inputs], "bias": bias})

"""Blocks agree numerically with their counterparts in FrEIA, apart from the choice of mixings and permutations."""

import math
from collections.abc import Callable
from functools import partial

import FrEIA.modules as fm
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from model.flow.affine import ConditionalAffine, soft_clamp
from model.flow.constants import AFFINE_LIMIT, INPUT_LIMIT, SCALE_LIMIT
from model.flow.coupling import AffineCoupling, ConvSubnet
from model.flow.haar import HaarDownsampling
from research.couplings.dense import DenseSubnet
from tests import networks

draw = partial(networks.draw, dtype=torch.float32)


def clamp_of(limit: float) -> Callable[[Tensor], Tensor]:
    return lambda raw: (2 / math.pi) * torch.atan(raw / limit)  # FrEIA multiplies by its clamp


def test_haar_downsampling() -> None:
    x = draw(2, 3, 8, 6)
    ours, log_det = HaarDownsampling()(x)
    (theirs,), their_log_det = fm.HaarDownsampling([(3, 8, 6)], order_by_wavelet=True)([x])
    # Only the order of the differences may differ from FrEIA.
    bands, their_bands = (
        sorted(z.unflatten(1, (4, 3)).unbind(1), key=lambda band: band.sum().item()) for z in (ours, theirs)
    )
    for band, their_band in zip(bands, their_bands, strict=True):
        assert_close(band, their_band)
    assert_close(log_det, torch.as_tensor(their_log_det).expand(2).float())


@pytest.mark.parametrize("shape", [(6,), (7,), (6, 4, 4)])
def test_affine_coupling(shape: tuple[int, ...]) -> None:
    kind = DenseSubnet if len(shape) == 1 else ConvSubnet
    ours = AffineCoupling(shape[0], kind, 16)
    nn.init.normal_(ours.subnet.last.weight, std=0.3)
    x, share = draw(5, *shape), draw(5, 16, *shape[1:], seed=1)

    def subnet(x1: Tensor) -> Tensor:
        return ours.subnet(soft_clamp(x1, INPUT_LIMIT), share)

    theirs = fm.AffineCouplingOneSided(
        [shape],
        subnet_constructor=lambda _in, _out: subnet,
        clamp=SCALE_LIMIT,
        clamp_activation=clamp_of(SCALE_LIMIT),
        split_len=shape[0] // 2,
    )
    (z,), log_det = theirs([x])
    assert_close(ours(x, share)[0], z)
    assert_close(ours(x, share)[1], log_det)
    assert_close(ours.inverse(z, share)[0], theirs([z], rev=True)[0][0])


def test_conditional_affine() -> None:
    ours = ConditionalAffine()
    x, condition = draw(5, 4, 3, 3), draw(5, 8, 3, 3, seed=1)

    def subnet(c: Tensor) -> Tensor:
        """Subnet for FrEIA's direction z → x, x = z·exp(s) + t: returns s before the clamp, then t."""
        return torch.cat(c.chunk(2, 1)[::-1], 1)

    theirs = fm.ConditionalAffineTransform(
        [(4, 3, 3)],
        dims_c=[(8, 3, 3)],
        subnet_constructor=lambda _in, _out: subnet,
        clamp=AFFINE_LIMIT,
        clamp_activation=clamp_of(AFFINE_LIMIT),
    )
    z, log_det = ours(x, condition)
    (back,), their_log_det = theirs([z], c=[condition])
    assert_close(back, x)
    assert_close(log_det, -their_log_det)

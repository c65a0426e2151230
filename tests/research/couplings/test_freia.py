"""Research's permutation agrees with its twin in FrEIA."""

import FrEIA.modules as fm
import torch
from torch.testing import assert_close

from research.couplings.permutation import RandomPermutation


def test_random_permutation() -> None:
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    ours = RandomPermutation(9, torch.Generator().manual_seed(1))
    theirs = fm.PermuteRandom([(9,)], seed=3)
    ours.order = theirs.perm.detach()
    (z,), log_det = theirs([x])
    (back,), _ = theirs([z], rev=True)
    assert_close(ours(x)[0], z)
    assert_close(ours(x)[1], torch.full((4,), float(log_det)))
    assert_close(ours.inverse(z)[0], back)

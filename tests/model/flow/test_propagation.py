"""Color propagation: convex, local, and exact where one neighbor is chosen."""

import torch
from torch.testing import assert_close

from model.flow.propagation import TAPS, propagate


def test_a_chosen_neighbor_gives_its_color() -> None:
    coarser = torch.arange(2 * 36, dtype=torch.float64).view(1, 2, 6, 6)
    logits = torch.zeros(1, TAPS**2, 12, 12, dtype=torch.float64)
    logits[:, 2 * TAPS + 3] = 200  # the coarser pixel to the right
    finer = propagate(coarser, logits)
    for y, x in ((2, 2), (3, 2), (2, 3), (7, 8)):
        assert_close(finer[..., y, x], coarser[..., y // 2, x // 2 + 1])


def test_no_color_comes_out_that_is_not_around() -> None:
    generator = torch.Generator().manual_seed(0)
    coarser = torch.randn(2, 2, 8, 8, generator=generator)
    logits = 3 * torch.randn(2, TAPS**2, 16, 16, generator=generator)
    finer = propagate(coarser, logits)
    assert (finer <= coarser.amax((2, 3), keepdim=True) + 1e-6).all()
    assert (finer >= coarser.amin((2, 3), keepdim=True) - 1e-6).all()


def test_what_is_far_changes_nothing() -> None:
    coarser, logits = torch.zeros(1, 2, 8, 8), torch.zeros(1, TAPS**2, 16, 16)
    changed = coarser.clone()
    changed[..., 0, 0] = 1
    moved = (propagate(changed, logits) - propagate(coarser, logits)).abs().amax((0, 1)) > 0
    assert moved[:6, :6].all()
    assert not moved[6:].any()
    assert not moved[:, 6:].any()

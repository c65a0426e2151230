"""Color propagation: convex, local, and exact if one neighbor is chosen; and recall of distant colors."""

import torch
from torch import Tensor
from torch.testing import assert_close

from model.flow.constants import TAPS
from model.flow.detail_level import Recall
from model.flow.propagation import propagate
from tests.networks import draw


def nothing(coarser: Tensor) -> Tensor:
    """No recalled color."""
    b, channels, height, width = coarser.shape
    return coarser.new_empty(b, 0, channels, 2 * height, 2 * width)


def test_a_chosen_neighbor_gives_its_color() -> None:
    coarser = torch.arange(2 * 36, dtype=torch.float64).view(1, 2, 6, 6)
    logits = torch.zeros(1, TAPS**2, 12, 12, dtype=torch.float64)
    logits[:, 2 * TAPS + 3] = 200  # the coarser pixel to the right
    finer = propagate(coarser, logits, nothing(coarser))
    for y, x in ((2, 2), (3, 2), (2, 3), (7, 8)):
        assert_close(finer[..., y, x], coarser[..., y // 2, x // 2 + 1])


def test_no_color_comes_out_that_is_not_around() -> None:
    coarser, logits = draw(2, 2, 8, 8), 3 * draw(2, TAPS**2, 16, 16, seed=1)
    finer = propagate(coarser, logits, nothing(coarser))
    assert (finer <= coarser.amax((2, 3), keepdim=True) + 1e-6).all()
    assert (finer >= coarser.amin((2, 3), keepdim=True) - 1e-6).all()


def test_a_chosen_recalled_color_is_taken() -> None:
    coarser = torch.zeros(1, 2, 8, 8)
    logits = torch.zeros(1, TAPS**2 + 2, 16, 16)
    logits[:, -1] = 200
    recalled = torch.arange(2.0).view(1, 2, 1, 1, 1).expand(1, 2, 2, 16, 16)
    assert_close(propagate(coarser, logits, recalled), torch.ones(1, 2, 16, 16))


def test_a_pixel_recalls_the_color_of_a_cell_that_looks_alike() -> None:
    """A mark at one end of the photo recalls the color of the only similar mark, at the other end."""
    recall = Recall(width=1, heads=1)
    with torch.no_grad():
        for layer in (recall.query, recall.key):
            layer.weight.fill_(10)
            layer.bias.zero_()
    photo = torch.zeros(1, 1, 16, 16)
    photo[..., 0, 0] = photo[..., 14:, 14:] = 1
    coarser = torch.zeros(1, 2, 8, 8)
    coarser[..., 7, 7] = torch.tensor([3.0, -4.0])
    recalled = recall(photo, coarser)[0, 0]
    assert_close(recalled[:, 0, 0], torch.tensor([3.0, -4.0]))
    assert_close(recalled[:, 5, 5], torch.tensor([3.0, -4.0]) / 64)


def test_what_is_far_changes_nothing() -> None:
    coarser, logits = torch.zeros(1, 2, 8, 8), torch.zeros(1, TAPS**2, 16, 16)
    changed = coarser.clone()
    changed[..., 0, 0] = 1
    difference = propagate(changed, logits, nothing(changed)) - propagate(coarser, logits, nothing(coarser))
    moved = difference.abs().amax((0, 1)) > 0
    assert moved[:6, :6].all()
    assert not moved[6:].any()
    assert not moved[:, 6:].any()

"""The reward model: a draw's reward depends on its photo, colors and densities, and on no other draw."""

import pytest
import torch
from torch.testing import assert_close

from model.flow.config import RewardConfig
from model.flow.constants import PRIOR_SHARE
from model.flow.reward import RewardModel
from model.flow.sizes import CELLS
from tests.networks import draw, spread

ROWS = 3
DRAWS = [draw(ROWS, CELLS, width, seed=width) for width in (16, 2, 2)]


@pytest.fixture
def reward() -> RewardModel:
    config = RewardConfig(width=8, heads=2, blocks=1)
    return RewardModel(config, 16, torch.Generator().manual_seed(1)).double().eval().requires_grad_(False)


def test_before_it_is_trained_it_says_how_well_a_draw_fits_its_photo(reward: RewardModel) -> None:
    log_p, log_q = DRAWS[2].unbind(-1)
    assert_close(reward(*DRAWS), (log_p - PRIOR_SHARE * log_q).mean(1))


def test_everything_that_it_sees_counts(reward: RewardModel) -> None:
    spread(reward)
    before = reward(*DRAWS)
    for i, part in enumerate(DRAWS):
        changed = part.clone()
        changed[0, 20] += 1
        after = reward(*DRAWS[:i], changed, *DRAWS[i + 1 :])
        assert abs(float(after[0] - before[0])) > 1e-6
        assert_close(after[1:], before[1:], rtol=0, atol=0)


def test_where_a_color_is_counts(reward: RewardModel) -> None:
    spread(reward)
    photo, cells, densities = DRAWS
    assert (reward(photo.roll(1, 1), cells.roll(1, 1), densities.roll(1, 1)) - reward(*DRAWS)).abs().min() > 1e-6

"""Laws of selection."""

import numpy as np
import pytest

from model.selection import select_diverse, select_palette


def flat(*colors: float) -> np.ndarray:  # type: ignore[type-arg]
    """Maps of one color each, on the a* axis."""
    return np.array([np.stack((np.full((4, 4), a), np.zeros((4, 4)))) for a in colors], np.float32)


def test_diverse_takes_the_farthest_each_time() -> None:
    # The farthest from 0 is 10. Then 5 is at least 5 away from both, 4 only 4, and 9 only 1.
    assert select_diverse(flat(0, 9, 4, 10, 5), 2) == [0, 3]
    assert select_diverse(flat(0, 9, 4, 10, 5), 3) == [0, 3, 4]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_maps_are_chosen_once_each(n: int) -> None:
    chosen = select_diverse(flat(*([3.0] * 5)), n)
    assert len(set(chosen)) == n


def test_a_palette_is_what_colors_there_are_and_not_where() -> None:
    maps = np.random.default_rng(0).normal(0, 20, (3, 2, 4, 4)).astype(np.float32)
    moved = maps[1].reshape(2, 16)[:, ::-1].reshape(2, 4, 4)
    assert select_palette(maps, moved + 1) == 1
    turned = np.stack((flat(20)[0], flat(20)[0, ::-1]))  # red, and yellow
    assert [select_palette(turned, 0.8 * each) for each in turned] == [0, 1]

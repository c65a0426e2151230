"""Selection by its laws."""

import numpy as np
import pytest

from model.selection import BLOCK, DIVERSITY, select_convincing, select_diverse, select_likely


def flat(*colors: float) -> np.ndarray:  # type: ignore[type-arg]
    """Maps of one color each, on the a* axis."""
    return np.array([np.stack((np.full((4, 4), a), np.zeros((4, 4)))) for a in colors], np.float32)


def test_diverse_takes_the_farthest_each_time() -> None:
    # From 0 the farthest is 10; then 4 lies at least 4 from both, 5 is 5 away, and 9 only 1.
    assert select_diverse(flat(0, 9, 4, 10, 5), 2) == [0, 3]
    assert select_diverse(flat(0, 9, 4, 10, 5), 3) == [0, 3, 4]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_maps_are_chosen_once_each(n: int) -> None:
    chosen = select_diverse(flat(*([3.0] * 5)), n)
    assert len(set(chosen)) == n


def test_likely_takes_the_fewest_bits() -> None:
    assert select_likely([3.0, 1.0, 2.0, 1.5], 2) == [1, 3]


def test_convincing_takes_the_best_of_a_coloring_s_draws_and_of_those_left_before() -> None:
    alike = flat(*([3.0] * 6))
    assert select_convincing(alike, [1, 3, 2, 0, 0, 1], 2) == [1, 2, 0]
    assert select_convincing(alike, [1, 3, 0, 9, 5, 7], 2) == [1, 3, 5]


def test_convincing_prefers_what_is_far_from_the_colorings_before() -> None:
    chroma, worth = flat(0, 0, 0, 20), 20 * DIVERSITY
    assert select_convincing(chroma, [1, 0, worth, 0.01], 2) == [0, 3]
    assert select_convincing(chroma, [1, 0, worth, -0.01], 2) == [0, 2]


def test_convincing_blocks_do_not_depend_on_each_other() -> None:
    rng = np.random.default_rng(0)
    chroma, rewards = 20 * rng.standard_normal((3 * 2 * BLOCK, 2, 8, 8), np.float32), rng.standard_normal(6 * BLOCK)
    size = 2 * BLOCK
    parts = [select_convincing(chroma[i : i + size], rewards[i : i + size], 2) for i in (0, size, 2 * size)]
    together = select_convincing(chroma, rewards, 2)
    assert together == [start * size + each for start, part in enumerate(parts) for each in part]
    assert len(set(together)) == 3 * BLOCK
    assert select_convincing(chroma[: size - 2], rewards[: size - 2], 2) == together[: BLOCK - 1]

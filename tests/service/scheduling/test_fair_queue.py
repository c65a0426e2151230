"""The fair queue: nobody waits long behind others' many requests, and nothing is lost."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.fair_queue import FairQueue

TURN = 8


def leave(queue: FairQueue[tuple[str, int]]) -> list[tuple[str, int]]:
    found = []
    while len(queue):
        first = queue.first()
        assert queue.pop() == first
        found.append(first)
    return found


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5 * TURN)), max_size=30))
def test_all_leave_and_those_of_one_owner_in_their_order(waiting: list[tuple[str, int]]) -> None:
    queue = FairQueue[tuple[str, int]]()
    for i, (owner, cost) in enumerate(waiting):
        queue.add((owner, i), cost, owner)
    assert len(queue) == len(waiting) == len(list(queue))
    left = leave(queue)
    for owner in "abc":
        assert [i for name, i in left if name == owner] == [i for i, (name, _) in enumerate(waiting) if name == owner]


@given(st.integers(1, TURN), st.integers(1, TURN))
def test_owners_get_equal_shares_of_cost_whatever_their_items_cost(cheap: int, dear: int) -> None:
    queue, costs = FairQueue[tuple[str, int]](), {"a": cheap, "b": dear}
    for i in range(10 * TURN):
        for owner, cost in costs.items():
            queue.add((owner, i), cost, owner)
    had = Counter[str]()
    for owner, _ in leave(queue)[: 5 * TURN]:
        had[owner] += costs[owner]
        assert abs(had["a"] - had["b"]) <= 2 * TURN


def test_what_costs_much_leaves_after_as_much_of_others() -> None:
    queue = FairQueue[tuple[str, int]]()
    queue.add(("a", 0), 3 * TURN, "a")
    for i in range(10 * TURN):
        queue.add(("b", i), 1, "b")
    assert leave(queue).index(("a", 0)) == 3 * TURN - 1


def test_what_is_discarded_does_not_leave_and_owners_are_forgotten() -> None:
    queue = FairQueue[tuple[str, int]]()
    for owner in "ab":
        for i in range(2):
            queue.add((owner, i), 1, owner)
    queue.discard(("a", 0), "a")
    queue.discard(("a", 1), "a")
    queue.discard(("a", 1), "a")  # already gone
    assert leave(queue) == [("b", 0), ("b", 1)]
    assert not queue._lines
    assert len(queue._ends) == 1, "of the last to have left"


def test_nobody_waits_for_ever_however_many_come_anew() -> None:
    queue = FairQueue[str]()
    queue.add("a, in work", TURN, "a")
    queue.pop()
    queue.add("a, its next part", TURN, "a")
    for i in range(TURN):
        queue.add(f"new {i}", 1, f"new {i}")
    left = list[str]()
    while "a, its next part" not in left:
        left.append(queue.pop())
        queue.add(f"later {len(left)}", 1, f"later {len(left)}")
        assert len(left) < 2 * TURN * (TURN + 1), "as much for each of those that wait"
    assert len(queue._ends) < 3 * TURN, "strangers are forgotten"


def test_what_was_drawn_while_nobody_else_waited_is_not_held_against_its_owner() -> None:
    queue = FairQueue[tuple[str, int]]()
    queue.add(("a", 0), 100 * TURN, "a")
    queue.pop()
    queue.rest()
    for i in range(10):
        queue.add(("b", i), TURN, "b")
    queue.add(("a", 1), TURN, "a")
    assert leave(queue).index(("a", 1)) <= 1

"""Fair queue: owners (keys or addresses) take turns."""

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Generic, NamedTuple, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class _Waiting(NamedTuple, Generic[T]):
    item: T
    cost: int
    since: float
    """virtual time of the item's arrival"""
    number: int
    """number in order of arrival"""


class FairQueue(Generic[T]):
    """Waiting items. Owners get equal shares of cost; items of one owner leave in FIFO order.

    An item's virtual end is its cost plus its owner's last virtual end, or plus its own arrival if that is later. The
    item with the earliest end leaves first. So a new owner passes all owners that just had their share, even if these
    had nothing waiting for a moment, and a costly item leaves after equal cost of other owners. Virtual time advances
    by the cost that leaves, divided by the number of waiting owners, so every item's turn comes, however many arrive.
    Source: A. Demers, S. Keshav, S. Shenker, "Analysis and simulation of a fair queueing algorithm", 1989.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[_Waiting[T]]] = {}
        """by owner"""
        self._ends: dict[str, float] = {}
        """virtual end of each owner's last item that left; kept for owners that wait, or had more than others"""
        self._now = 0.0
        """virtual time when the last item left"""
        self._last_cost = 0
        """cost of that item, not yet added to virtual time"""
        self._numbers = count()

    def __iter__(self) -> Iterator[T]:
        return (waiting.item for line in self._lines.values() for waiting in line)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def owners(self) -> list[str]:
        return list(self._lines)

    def add(self, item: T, cost: int, owner: str) -> None:
        self._lines.setdefault(owner, deque()).append(_Waiting(item, cost, self._now, next(self._numbers)))

    def first(self) -> T:
        """Return the next item; the queue must not be empty."""
        return self._lines[self._next()][0].item

    def pop(self) -> T:
        """Remove and return the next item; the queue must not be empty."""
        owner = self._next()
        begin = self._begin(owner)
        self._now = max(self._now + self._last_cost / len(self._lines), begin)
        waiting = self._lines[owner].popleft()
        self._last_cost = waiting.cost
        self._ends[owner] = begin + waiting.cost
        self._forget_if_empty(owner)
        self._ends = {each: end for each, end in self._ends.items() if end > self._now or each in self._lines}
        return waiting.item

    def discard(self, item: T, owner: str) -> None:
        """Remove an item, if it still waits."""
        line = self._lines.get(owner, deque())
        for waiting in line:
            if waiting.item == item:
                line.remove(waiting)
                self._forget_if_empty(owner)
                return

    def rest(self) -> None:
        """Forget the owners' shares: no item waits or is in work."""
        self._ends.clear()
        self._last_cost = 0

    def _next(self) -> str:
        """Return the owner whose first item ends first."""

        def end(owner: str) -> tuple[float, int]:
            waiting = self._lines[owner][0]
            return self._begin(owner) + waiting.cost, waiting.number

        return min(self._lines, key=end)

    def _begin(self, owner: str) -> float:
        """Return the virtual time at which an owner's first item begins."""
        return max(self._lines[owner][0].since, self._ends.get(owner, 0.0))

    def _forget_if_empty(self, owner: str) -> None:
        if not self._lines[owner]:
            del self._lines[owner]

"""A queue that owners, keys or addresses, take turns in."""

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
    """the queue's virtual time when it came"""
    number: int
    """order in which items came"""


class FairQueue(Generic[T]):
    """Items that wait. Owners get equal shares of cost; items of one owner leave in FIFO order.

    Each item would end at a virtual time: its owner's last item's end, or its own arrival if that was later, and its
    cost. The item that ends first leaves first. So whoever comes anew passes all who had their share just now, even
    those that had nothing waiting for a moment, and what costs much leaves after as much of others. Virtual time goes
    on by what leaves, divided among the owners that wait; so an item's end comes, however many others come anew.
    Source: A. Demers, S. Keshav, S. Shenker, "Analysis and simulation of a fair queueing algorithm", 1989.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[_Waiting[T]]] = {}
        """by owner"""
        self._ends: dict[str, float] = {}
        """virtual end of the last item of each owner that left; of owners that wait, or had more than others"""
        self._now = 0.0
        """the virtual time when the last item left"""
        self._last_cost = 0
        """cost of that item, which virtual time has not gone on by yet"""
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
        """Return the item that is next; one must wait."""
        return self._lines[self._next()][0].item

    def pop(self) -> T:
        """Take out the item that is next; one must wait."""
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
        """Take out an item, if it still waits."""
        line = self._lines.get(owner, deque())
        for waiting in line:
            if waiting.item == item:
                line.remove(waiting)
                self._forget_if_empty(owner)
                return

    def rest(self) -> None:
        """Forget what owners had: nobody waits, and nothing that left is still in work."""
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

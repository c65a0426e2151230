"""A queue that owners, keys or addresses, take turns in."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items that wait. Owners take turns of equal cost; items of one owner leave in FIFO order.

    So an owner that comes anew has its turn soon, however much others wait for. An item that costs several turns leaves
    after as many rounds.
    Source: M. Shreedhar, G. Varghese, "Efficient fair queuing using deficit round robin", 1995.
    """

    def __init__(self, turn: int) -> None:
        """turn: cost of what leaves in one turn."""
        self._turn = turn
        self._lines: dict[str, deque[tuple[T, int]]] = {}
        """items and their costs, by owner; the first owner has its turn"""
        self._credits: dict[str, int] = {}

    def __iter__(self) -> Iterator[T]:
        return (item for line in self._lines.values() for item, _ in line)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def owners(self) -> list[str]:
        """Owners of the items that wait."""
        return list(self._lines)

    def add(self, item: T, cost: int, owner: str) -> None:
        """Let an item wait."""
        self._lines.setdefault(owner, deque()).append((item, cost))
        self._credits.setdefault(owner, self._turn)

    def first(self) -> T:
        """Return the item that is next; one must wait."""
        return self._lines[self._next()][0][0]

    def pop(self) -> T:
        """Take out the item that is next; one must wait."""
        owner = self._next()
        item, cost = self._lines[owner].popleft()
        self._credits[owner] -= cost
        self._forget_if_empty(owner)
        return item

    def discard(self, item: T, cost: int, owner: str) -> None:
        """Take out an item, if it still waits."""
        line = self._lines.get(owner, deque())
        if (item, cost) in line:
            line.remove((item, cost))
            self._forget_if_empty(owner)

    def _next(self) -> str:
        """Pass the turn on, until an owner has enough left of its turns for its first item, and return that owner."""
        while True:
            owner, line = next(iter(self._lines.items()))
            if line[0][1] <= self._credits[owner]:
                return owner
            self._credits[owner] += self._turn
            self._lines[owner] = self._lines.pop(owner)  # to the end

    def _forget_if_empty(self, owner: str) -> None:
        if not self._lines[owner]:
            del self._lines[owner], self._credits[owner]

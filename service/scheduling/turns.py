"""Turns: limits on the work at once, or on what it takes, of each owner (key or address) and of all."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

__all__ = ["Turn", "Turns"]


class Turns:
    """A number of pieces of work at once, or another amount that they take, such as bytes.

    Each owner's pieces wait in FIFO order. Of the owners that may go on, the one that holds least is next.
    """

    def __init__(self, each: int, together: int = sys.maxsize) -> None:
        """each: maximum of one owner. together: maximum of all owners."""
        self._each, self._together = each, together
        self._taken: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}

    def must_wait(self, owner: str) -> bool:
        """Whether an owner's next piece of work would wait for others of this owner."""
        return self._taken[owner] >= self._each

    async def take(self, owner: str, amount: int = 1) -> None:
        """Wait for a turn. amount: at most `each` and `together`; a larger one would wait for ever."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = owner, amount
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting.pop(turn, None) is None:
                self.give_back(owner, amount)
            else:
                self._admit()
            raise

    def give_back(self, owner: str, amount: int = 1) -> None:
        """End a turn, or give back a part of its amount. A negative amount takes more, without waiting."""
        self._taken[owner] -= amount
        if not self._taken[owner]:
            del self._taken[owner]  # forget idle owners
        self._admit()

    @asynccontextmanager
    async def turn(self, owner: str, amount: int = 1) -> AsyncIterator["Turn"]:
        """Wait for a turn and hold it."""
        await self.take(owner, amount)
        turn = Turn(self, owner, amount)
        try:
            yield turn
        finally:
            turn.resize(0)

    def _admit(self) -> None:
        while self._waiting:
            firsts: dict[str, tuple[int, asyncio.Future[None]]] = {}
            for turn, (owner, amount) in self._waiting.items():
                if not turn.cancelled():
                    firsts.setdefault(owner, (amount, turn))
            able = [owner for owner, (amount, _) in firsts.items() if self._taken[owner] + amount <= self._each]
            if not able:
                return
            next_owner = min(able, key=self._taken.__getitem__)
            amount, turn = firsts[next_owner]
            if self._taken.total() + amount > self._together:
                return
            del self._waiting[turn]
            self._taken[next_owner] += amount
            turn.set_result(None)


@dataclass
class Turn:
    """A turn that is held."""

    turns: Turns
    owner: str
    amount: int

    def resize(self, amount: int) -> None:
        """Hold another amount from now on, without waiting if it is larger."""
        self.turns.give_back(self.owner, self.amount - amount)
        self.amount = amount

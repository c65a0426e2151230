"""Limits on work in flight, and estimates of when there will be room."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from service.errors import QueueFullError

__all__ = ["Backlog", "Place"]

WINDOW_SECONDS = 60.0
"""Window over which throughput is measured."""
UNKNOWN_SECONDS = 5
"""Retry-After before anything has been measured."""

MOST_REFUSED = 1000
"""Refusals that are remembered."""

TIMELY = 0.5
"""Share of the maximum time within which all accepted work should be answered, at the present throughput."""

Clock = Callable[[], float]


class Backlog:
    """Resources that requests in flight hold. The sum stays below each limit; a lone request may exceed it.

    Some resources have a lower limit while answers are so slow that further work would be late. A request that exceeds
    a limit by itself is accepted when nobody else holds any of the resource, or it would be refused for ever.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        longest_seconds: float,
        clock: Clock = time.monotonic,
        floors: Mapping[str, int] | None = None,
        share: float = 1.0,
    ) -> None:
        """limits: maximum of each resource. longest_seconds: time after which any request has ended.

        floors: for resources that are worked off one after another: the amount that may be held at any throughput.
        share: part of each limit that one owner may hold; a lone request may exceed it. An owner may hold more while
        nobody else holds anything: see `_most`.
        """
        self._share = share
        self._clock = clock
        self._refused: list[tuple[float, str, str, int]] = []
        """(time to come again, owner, resource, amount) of refused requests"""
        self._owned: dict[str, Counter[str]] = {}
        self._limits = dict(limits)
        self._floors = dict(floors or {})
        self._longest = math.ceil(longest_seconds)
        self._held = dict.fromkeys(limits, 0)
        self._promised: dict[str, Counter[str]] = {}
        """amounts promised to each owner's requests that wait for their turn"""
        self._places = 0
        self._rates = {name: _Throughput(clock) for name in limits}

    def held(self, resource: str) -> int:
        return self._held[resource]

    def enter(self, owner: str = "") -> "Place":
        """Return an empty place, to be used as a context manager. Raises QueueFullError if there is no room at all."""
        for name, held in self._held.items():
            self._check(name, 1, owner, likely=held // max(self._places, 1))
        self._places += 1
        return Place(self, owner)

    def _hold(self, amounts: Mapping[str, int], owner: str) -> None:
        _add(self._owned, owner, amounts)
        for name, amount in amounts.items():
            if not self._held[name]:
                self._rates[name].begin()
            self._held[name] += amount

    def _give_back(self, amounts: Mapping[str, int], answered: bool, owner: str) -> None:
        """Hold less of some resources. Answered or worked-off amounts update the estimate of waits."""
        _add(self._owned, owner, amounts, -1)
        for name, amount in amounts.items():
            self._held[name] -= amount
            if answered:
                self._rates[name].count(amount)
            if not self._held[name]:
                self._rates[name].end()

    def _check(self, name: str, amount: int, owner: str, likely: int = 0, besides: int = 0) -> None:
        """Raise QueueFullError, with an estimate of when there will be room, if there is no room for an amount.

        besides: amount counted in addition to what is held; below 0, subtracted from it.
        """
        limit = self._limit(name)
        held = self._counted(name, limit) + besides
        if held and held + amount > limit:
            seconds = self._refuse(name, max(amount, likely), held - limit, owner)
            raise QueueFullError(f"{held} {name} are waiting, and the limit is now {limit}", seconds)

    def _check_share(self, name: str, amount: int, owned: int, owner: str) -> None:
        """Raise QueueFullError if one owner would exceed its limit."""
        most = self._most(name, owner)
        if self._share < 1 and owned and owned + amount > most:
            seconds = self._refuse(name, amount, owned - most, owner)
            raise QueueFullError(f"{owned} of this client's {name} are waiting, and its limit is now {most}", seconds)

    def _refuse(self, name: str, amount: int, above: int, owner: str) -> int:
        """Return the seconds until there will be room for an amount, after those of its owner that were refused before.

        Otherwise, all that were refused would come again at once. above: amount held, above the limit.
        """
        now = self._clock()
        self._refused = [each for each in self._refused[-MOST_REFUSED:] if each[0] > now]
        before = min(sum(each[3] for each in self._refused if each[1:3] == (owner, name)), self._limit(name))
        most = math.ceil(TIMELY * self._longest) if name in self._floors else self._longest  # all held is worked off
        seconds = min(max(self._rates[name].seconds(above + before + amount), 1), most)
        self._refused.append((now + seconds, owner, name, amount))
        return seconds

    def _most(self, name: str, owner: str) -> int:
        """Return the amount that an owner may hold: its share, or more while nobody else holds anything.

        Then it may hold all of a resource that is worked off, because amounts above its share do not count for others
        (see `_counted`). Of other resources, such as bytes, it leaves half of the rest free for the next owner.
        """
        share = self._share
        if not self._owned.keys() - {owner}:
            share = 1.0 if name in self._floors else (1 + share) / 2
        return max(int(share * self._limit(name)), 1)

    def _counted(self, name: str, limit: int) -> int:
        """Return the amount held. For resources that are worked off, no owner counts for more than its share.

        So an owner that holds more, as a lone one may, is no reason to refuse others.
        """
        if self._share == 1 or name not in self._floors:
            return self._held[name]
        most = max(int(self._share * limit), 1)
        return sum(min(owned[name], most) for owned in self._owned.values())

    def _limit(self, name: str) -> int:
        """Return the amount that may be held. For resources that are worked off, as much as can be answered in time."""
        limit = self._limits[name]
        if name not in self._floors or (rate := self._rates[name].rate()) is None:
            return limit
        return min(limit, max(int(TIMELY * self._longest * rate), self._floors[name]))


def _add(sums: dict[str, Counter[str]], owner: str, amounts: Mapping[str, int], sign: int = 1) -> None:
    """Add to an owner's amounts; forget an owner that holds nothing."""
    owned = sums.setdefault(owner, Counter())
    owned.update({name: sign * amount for name, amount in amounts.items()})
    if not any(owned.values()):
        del sums[owner]


class Place:
    """Resources that one request holds. A context manager: left without an error, the request was answered."""

    def __init__(self, backlog: Backlog, owner: str = "") -> None:
        self._backlog = backlog
        self.owner = owner
        self._held = Counter[str]()
        self._promised: Mapping[str, int] = {}

    def claim(self, **amounts: int) -> None:
        """Hold more of some resources, or none. Checked as if the request claimed all that it holds at once.

        Raises QueueFullError, which says when there will be room.
        """
        owned = self._backlog._owned.get(self.owner, Counter())
        for name, amount in amounts.items():
            own = self._held[name]
            self._backlog._check_share(name, own + amount, owned[name] - own, self.owner)
            self._backlog._check(name, own + amount, self.owner, besides=-own)
        self._hold(amounts)

    def promise(self, **amounts: int) -> None:
        """Reserve amounts that the request will hold at its turn.

        Raises QueueFullError if there is no room besides all held and promised amounts. Promised amounts count only for
        requests that must wait, too.
        """
        promised = self._backlog._promised
        owned = self._backlog._owned.get(self.owner, Counter()) + promised.get(self.owner, Counter())
        for name, amount in amounts.items():
            self._backlog._check_share(name, amount, owned[name], self.owner)
            self._backlog._check(name, amount, self.owner, besides=sum(each[name] for each in promised.values()))
        _add(promised, self.owner, amounts)
        self._promised = amounts

    def keep(self) -> None:
        """Hold the promised amounts."""
        self._hold(self._forget_promise())

    def give_back(self, *names: str) -> None:
        """Release some resources, whose work is done."""
        self._backlog._give_back({name: self._held.pop(name, 0) for name in names}, answered=True, owner=self.owner)

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._forget_promise()
        self._backlog._places -= 1
        self._backlog._give_back(self._held, answered=kind is None, owner=self.owner)
        self._held = Counter()

    def _hold(self, amounts: Mapping[str, int]) -> None:
        self._backlog._hold(amounts, self.owner)
        self._held.update(amounts)

    def _forget_promise(self) -> Mapping[str, int]:
        amounts, self._promised = self._promised, {}
        _add(self._backlog._promised, self.owner, amounts, -1)
        return amounts


class _Throughput:
    """Throughput of a resource: amount answered per second, while any is held."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: deque[tuple[float, int]] = deque()
        """(time, amount) in the last WINDOW_SECONDS"""
        self._last: float | None = None
        self.begin()

    def begin(self) -> None:
        """Start counting: nothing was held until now."""
        self._begun = self._clock()
        self._answered.clear()
        self._total = 0

    def end(self) -> None:
        """Stop counting and keep the rate: nothing is held any more."""
        self._last = self.rate()

    def count(self, amount: int) -> None:
        self._answered.append((self._forget(), amount))
        self._total += amount

    def seconds(self, amount: int) -> int:
        """Estimate the seconds for an amount."""
        rate = self.rate()
        return math.ceil(amount / rate) if rate else UNKNOWN_SECONDS

    def rate(self) -> float | None:
        """Return the rate in the window, or the previous rate if nothing was answered in it."""
        elapsed = min(self._forget() - self._begun, WINDOW_SECONDS)
        if not self._answered or elapsed <= 0:
            return self._last
        return self._total / elapsed

    def _forget(self) -> float:
        """Forget answers before the window, and return the time. A service that never rests counts without end."""
        now = self._clock()
        while self._answered and self._answered[0][0] <= now - WINDOW_SECONDS:
            self._total -= self._answered.popleft()[1]
        return now

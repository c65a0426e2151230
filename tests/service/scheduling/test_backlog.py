"""The bounded queue: accepted and refused requests, and correct values of Retry-After."""

import contextlib
from collections import deque
from collections.abc import Callable
from typing import NoReturn
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import QueueFullError
from service.scheduling.backlog import TIMELY, UNKNOWN_SECONDS, Backlog, Place

LONGEST = 100


class Clock:
    """A clock that tests set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backlog(clock: Clock) -> Backlog:
    return Backlog({"latents": 10, "pixels": 1000}, LONGEST, clock)


def occupy(backlog: Backlog, owner: str = "", **amounts: int) -> Place:
    place = backlog.enter(owner)
    place.claim(**amounts)
    return place


def answer(place: Place) -> None:
    with place:
        pass


def work(backlog: Backlog, clock: Clock, seconds: float, **amounts: int) -> None:
    """Answer a request after some seconds."""
    place = occupy(backlog, **amounts)
    clock.now += seconds
    answer(place)


def refusal(ask: Callable[..., object], **amounts: int) -> QueueFullError:
    """Send a request that must be refused; return the error."""
    with pytest.raises(QueueFullError) as error:
        ask(**amounts)
    return error.value


@pytest.mark.parametrize(("first", "second"), [({"latents": 8}, {"latents": 3}), ({"pixels": 600}, {"pixels": 401})])
def test_too_much_is_refused_and_nothing_of_it_held(backlog: Backlog, first, second) -> None:
    occupy(backlog, **first)
    place = backlog.enter()
    refusal(place.claim, **second)
    refusal(place.claim, **dict.fromkeys(("latents", "pixels"), 0) | second)
    answer(place)
    assert sum(map(backlog.held, ("latents", "pixels"))) == sum(first.values())


def test_a_full_queue_refuses_at_the_door_and_tells_when_there_is_room_for_a_likely_request(
    backlog: Backlog, clock: Clock
) -> None:
    places = [occupy(backlog, latents=5) for _ in range(2)]
    assert refusal(backlog.enter).retry_after_seconds == UNKNOWN_SECONDS
    clock.now += 10
    answer(places[0])  # one latent in two seconds
    occupy(backlog, latents=5)
    assert refusal(backlog.enter).retry_after_seconds == 10


def test_refused_requests_of_one_owner_come_again_one_after_another(backlog: Backlog, clock: Clock) -> None:
    """Other owners do not wait for them, and a late one has lost its place in this line."""
    work(backlog, clock, 4, latents=8)  # two latents a second
    occupy(backlog, "a", latents=10)

    def waits(owner: str) -> int:
        return refusal(backlog.enter(owner).claim, latents=4).retry_after_seconds

    backlog._held["latents"] -= 1  # so that `enter` lets them in
    assert [waits("a") for _ in range(3)] == [2, 4, 6]
    assert [waits("b") for _ in range(2)] == [2, 4]
    clock.now += 5
    assert waits("a") == 4, "after the last, which comes in a second"
    clock.now += 10
    assert waits("a") == 2
    assert [waits("a") for _ in range(100)][-1] == 7, "no one client makes others of its address wait for longer"


def test_the_rate_is_known_without_a_sum_over_a_minute_of_answers(clock: Clock) -> None:
    class Unsummed(deque[tuple[float, int]]):
        def __iter__(self) -> NoReturn:
            raise AssertionError("every chunk of a body asks for the rate")

    backlog = Backlog({"bytes": 10}, LONGEST, clock, floors={"bytes": 1})
    backlog._rates["bytes"]._answered = Unsummed()
    occupy(backlog, bytes=1)
    work(backlog, clock, 1, bytes=4)
    occupy(backlog, bytes=1)
    assert backlog._rates["bytes"].rate() == 4


@mock.patch("service.scheduling.backlog.WINDOW_SECONDS", 1e9)  # a window's edge would cut a request in two
@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=6, max_size=40), st.floats(0.05, 3), st.integers(1, 5))
def test_a_retry_after_the_told_wait_finds_room(amounts: list[int], seconds_each: float, asked: int) -> None:
    """Requests are answered one after another at a constant rate of latents, and no others arrive."""
    clock = Clock()
    backlog = Backlog({"latents": 10}, LONGEST, clock)
    waiting: list[tuple[Place, int]] = []

    def work_off() -> None:
        place, amount = waiting.pop(0)
        clock.now += amount * seconds_each
        answer(place)

    for amount in amounts:
        while waiting and backlog.held("latents") + amount > 10:
            work_off()
        waiting.append((occupy(backlog, latents=amount), amount))
    answered = sum(amounts) - backlog.held("latents")
    if answered == 0 or backlog.held("latents") + asked <= 10:
        return
    told, begun = refusal(Place(backlog).claim, latents=asked).retry_after_seconds, clock.now
    over = backlog.held("latents") + asked - 10
    assert 0 <= told - min(max(1, over * seconds_each), LONGEST) < 1 + 1e-6  # whole seconds, and no more than needed
    while waiting and backlog.held("latents") + asked > 10:
        work_off()
    # the last request answered may be larger than the excess, since it leaves as a whole
    assert clock.now - begun <= told + max(amounts) * seconds_each


def test_rate_is_that_of_the_last_minute(backlog: Backlog, clock: Clock) -> None:
    occupy(backlog, latents=2)
    for seconds in [10] * 100 + [1] * 60:  # slow requests, then fast ones
        work(backlog, clock, seconds, latents=1)
    occupy(backlog, latents=8)
    assert refusal(Place(backlog).claim, latents=5).retry_after_seconds == pytest.approx(5, abs=1)


def test_idle_time_is_no_slowness(backlog: Backlog, clock: Clock) -> None:
    for _ in range(3):
        work(backlog, clock, 1, latents=5)
        clock.now += 1000
    occupy(backlog, latents=10)
    assert refusal(Place(backlog).claim, latents=5).retry_after_seconds == 1


def test_never_longer_than_any_request_lives(backlog: Backlog, clock: Clock) -> None:
    occupy(backlog, latents=9)
    work(backlog, clock, 10_000, latents=1)
    assert refusal(Place(backlog).claim, latents=9).retry_after_seconds == LONGEST


@pytest.mark.parametrize("seconds_each", [0.1, 2.0, 7.0])
def test_no_more_is_accepted_than_can_be_answered_in_time(clock: Clock, seconds_each: float) -> None:
    """At any speed, accepted requests are answered within half of the longest time, or within the floor."""
    limit, floor = 100, 8
    backlog = Backlog({"latents": limit, "bytes": limit}, LONGEST, clock, floors={"latents": floor})
    waiting: list[tuple[Place, float]] = []
    longest = 0.0
    most = 0
    for _ in range(300):
        with contextlib.suppress(QueueFullError):
            while True:  # until one is refused
                waiting.append((occupy(backlog, latents=1, bytes=1), clock.now))
        most = max(most, len(waiting)) if clock.now > 1000 + 200 * seconds_each else 0
        clock.now += seconds_each
        place, came = waiting.pop(0)
        answer(place)
        if came > 1000 + 100 * seconds_each:
            longest = max(longest, clock.now - came)
    in_time = int(TIMELY * LONGEST / seconds_each)
    assert most == min(max(in_time, floor), limit)
    assert longest <= max(TIMELY * LONGEST, floor * seconds_each)


def test_what_is_worked_off_is_given_back_before_the_place(backlog: Backlog, clock: Clock) -> None:
    place = occupy(backlog, latents=8, pixels=100)
    clock.now += 2
    place.give_back("latents")
    assert (backlog.held("latents"), backlog.held("pixels")) == (0, 100)
    occupy(backlog, latents=10)
    # 4 latents per second were drawn; a likely request has 5
    assert refusal(backlog.enter).retry_after_seconds == 2
    with pytest.raises(RuntimeError), place:
        raise RuntimeError
    assert (backlog.held("latents"), backlog.held("pixels")) == (10, 0)


def test_one_owner_holds_at_most_its_share(clock: Clock) -> None:
    backlog = Backlog({"latents": 10}, LONGEST, clock, share=0.5)
    theirs, mine, again = occupy(backlog, "b", latents=1), occupy(backlog, "a", latents=4), backlog.enter("a")
    assert "this client" in str(refusal(again.claim, latents=2))
    again.claim(latents=1)
    theirs.claim(latents=4)
    answer(mine)
    mine = occupy(backlog, "a", latents=4)
    for place in (mine, again, theirs):
        answer(place)
    assert not backlog._owned, "owners are not remembered"
    occupy(backlog, "a", latents=9)  # more than the share by itself; refusing it would repeat forever


def test_one_owner_may_hold_more_while_nobody_else_holds_anything(clock: Clock) -> None:
    """It may hold all latents, which are worked off; a quarter of the bytes is left for others."""
    backlog = Backlog({"latents": 16, "bytes": 16}, LONGEST, clock, floors={"latents": 2}, share=0.5)
    late, theirs = map(backlog.enter, "ab")
    mine = [occupy(backlog, "a", latents=4, bytes=3) for _ in range(4)]
    assert "16 of this client's latents are waiting, and its limit is now 16" in str(refusal(late.claim, latents=1))
    assert "12 of this client's bytes are waiting, and its limit is now 12" in str(refusal(late.claim, bytes=1))
    theirs.claim(latents=8, bytes=4)
    assert "12 of this client's bytes are waiting, and its limit is now 8" in str(refusal(late.claim, bytes=1))
    answer(theirs)
    for place in mine:
        place.give_back("latents")
    late.claim(latents=16)


def test_what_a_request_claims_bit_by_bit_is_one_claim(clock: Clock) -> None:
    backlog = Backlog({"pixels": 100}, LONGEST, clock, share=0.5)
    transfer, other = map(backlog.enter, "aa")
    theirs = occupy(backlog, "b", pixels=20)
    transfer.claim(pixels=40)
    transfer.claim(pixels=40)  # more than the share by itself
    assert "80 of this client's pixels are waiting, and its limit is now 50" in str(refusal(other.claim, pixels=1))
    assert "20 pixels are waiting, and the limit is now 100" in str(refusal(transfer.claim, pixels=1))
    answer(theirs)
    transfer.claim(pixels=40)  # more than the limit by itself


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=30), st.floats(0.1, 0.9))
def test_whatever_one_owner_holds_another_gets_in(asked: list[tuple[int, int]], share: float) -> None:
    backlog = Backlog({"latents": 100, "bytes": 100}, LONGEST, Clock(), floors={"latents": 2}, share=share)
    for latents, size in asked:
        with contextlib.suppress(QueueFullError):
            occupy(backlog, "a", latents=latents, bytes=size)
    free = int(100 * min(share, (1 - share) / 2))
    occupy(backlog, "b", latents=free, bytes=free)


def test_one_large_request_is_no_reason_to_refuse_others(clock: Clock) -> None:
    backlog = Backlog({"latents": 10}, LONGEST, clock, floors={"latents": 2}, share=0.5)
    occupy(backlog, "a", latents=100)
    occupy(backlog, "b", latents=4)
    other = backlog.enter("c")
    refusal(other.claim, latents=2)
    other.claim(latents=1)


def test_what_is_promised_to_those_that_wait_is_no_more_than_there_is(backlog: Backlog) -> None:
    waiting = [backlog.enter(owner) for owner in "abc"]
    waiting[0].promise(latents=6)
    waiting[1].promise(latents=4)
    refusal(waiting[2].promise, latents=1)
    other = occupy(backlog, "d", latents=9)  # promises do not affect a request that need not wait
    for place in waiting[:2]:
        place.keep()
    assert backlog.held("latents") == 19
    for place in (*waiting, other):
        answer(place)
    assert backlog.held("latents") == 0
    for owner in "ef":
        place = backlog.enter(owner)
        place.promise(latents=10)
        answer(place)  # a promise ends with its request

"""Turns: one owner's work never occupies all places."""

import asyncio

import pytest

from service.scheduling.turns import Turns


async def test_one_owner_does_only_so_much_at_once_and_others_do_not_wait_for_it() -> None:
    turns, release, working = Turns(2), asyncio.Event(), []

    async def work(owner: str) -> None:
        async with turns.turn(owner):
            working.append(owner)
            await release.wait()

    tasks = [asyncio.create_task(work(owner)) for owner in ("a", "a", "a", "a", "b")]
    await asyncio.sleep(0.01)
    assert sorted(working) == ["a", "a", "b"]
    tasks[3].cancel()  # a waiting task
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(working) == ["a", "a", "a", "b"]
    assert not turns._taken, "owners are not remembered"


async def test_amounts_together_wait_in_order_but_not_behind_an_owner_at_its_own_limit() -> None:
    turns, admitted = Turns(6, together=10), []

    async def take(owner: str, amount: int) -> None:
        await turns.take(owner, amount)
        admitted.append((owner, amount))

    asked = [("a", 6), ("a", 1), ("b", 3), ("c", 4), ("d", 1)]
    tasks = [asyncio.create_task(take(*each)) for each in asked]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert admitted == [("a", 6), ("b", 3)], "d would fit, but never passes c, which might wait for ever"
    assert turns.must_wait("a")
    assert not turns.must_wait("b")
    tasks[3].cancel()
    await asyncio.sleep(0.01)
    assert admitted[2:] == [("d", 1)]
    turns.give_back("a", 1)
    await asyncio.sleep(0.01)
    assert admitted[3:] == [("a", 1)]
    assert turns._taken == {"a": 6, "b": 3, "d": 1}


@pytest.mark.parametrize(("owner", "most"), [("a", 2), ("b", 2)])
async def test_a_large_amount_waits_for_few_smaller_ones(owner: str, most: int) -> None:
    """Not for those of its owner that came later, nor for a whole line of another."""
    turns, admitted = Turns(4, together=5), []

    async def work(owner: str, amount: int) -> None:
        async with turns.turn(owner, amount):
            admitted.append((owner, amount))
            await asyncio.sleep(0.001)

    asked = [*[("a", 1)] * 4, (owner, 4), *[("a", 1)] * 50]
    await asyncio.gather(*(work(*each) for each in asked))
    assert admitted.index((owner, 4)) <= 4 + most
    assert len(admitted) == len(asked)


async def test_a_turn_that_comes_as_its_wait_is_cancelled_is_given_back() -> None:
    turns = Turns(1)
    await turns.take("a")
    waits = asyncio.create_task(turns.take("a"))
    await asyncio.sleep(0)
    turns.give_back("a")
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    await asyncio.wait_for(turns.take("a"), 5)


async def test_a_turn_of_another_size_lets_others_in_or_keeps_them_out() -> None:
    turns = Turns(4, together=8)
    async with turns.turn("a", 4) as turn:
        turn.resize(9)
        waits = asyncio.create_task(turns.take("b", 2))
        await asyncio.sleep(0.01)
        assert not waits.done()
        turn.resize(6)
        await asyncio.wait_for(waits, 5)
    assert turns._taken == {"b": 2}

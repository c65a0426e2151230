"""Turns: one owner's work never occupies all places."""

import asyncio

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
    assert not turns._turns, "owners are not remembered"

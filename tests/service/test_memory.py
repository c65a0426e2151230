"""Memory that malloc keeps after it was freed goes back to the system."""

import asyncio
import gc

import psutil
import pytest

from service import memory
from service.memory import give_back, give_back_regularly

BLOCK, COUNT = 60_000, 2_000
"""Smaller than what malloc maps by itself, and in all 120 MB."""


@pytest.mark.skipif(not psutil.LINUX, reason="GNU's malloc alone keeps what is freed between what is held")
def test_memory_between_blocks_that_are_held_goes_back() -> None:
    blocks = [bytes([i % 255 + 1]) * BLOCK for i in range(COUNT)]
    held = blocks[::2]
    del blocks
    gc.collect()
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > BLOCK * COUNT // 4
    assert len(held) == COUNT // 2


@pytest.mark.parametrize(
    ("done", "busy", "longest", "times"),
    [
        ((0, 0, 0), False, 9.0, 0),  # nothing was done
        ((0, 1, 1), False, 9.0, 1),  # at rest, after work
        ((0, 1, 2), False, 9.0, 2),
        ((0, 1, 2), True, 9.0, 0),  # at work
        ((0, 1, 2), True, 0.0, 2),  # at work, but for long
    ],
)
@pytest.mark.anyio
async def test_when(
    monkeypatch: pytest.MonkeyPatch, done: tuple[int, ...], busy: bool, longest: float, times: int
) -> None:
    given: list[None] = []
    numbers = iter(done)
    latest = 0

    def count() -> int:
        nonlocal latest
        latest = next(numbers, latest)
        return latest

    monkeypatch.setattr(memory, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(memory, "LONGEST_SECONDS", longest)
    monkeypatch.setattr(memory, "give_back", lambda: given.append(None))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await give_back_regularly(count, lambda: busy)
    assert len(given) == times

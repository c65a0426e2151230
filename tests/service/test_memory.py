"""Return of freed memory from malloc to the system."""

import asyncio
import subprocess
import sys
from itertools import chain, repeat
from unittest.mock import Mock

import psutil
import pytest

from service import memory
from service.memory import give_back_regularly

HELD = """
import gc, psutil
from service.memory import give_back
blocks = [bytes([i % 255 + 1]) * 60_000 for i in range(2_000)]  # less than what malloc maps by itself; in all 120 MB
held = blocks[::2]
del blocks
gc.collect()
before = psutil.Process().memory_info().rss
give_back()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not psutil.LINUX, reason="GNU's malloc alone keeps what is freed between what is held")
def test_memory_between_blocks_that_are_held_goes_back() -> None:
    # in a new process: in this one, the blocks may fill holes left by earlier tests
    ran = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert int(ran.stdout) > 30_000_000


@pytest.mark.parametrize(
    ("done", "busy", "longest", "times"),
    [
        ((0, 0, 0), False, 9.0, 0),  # nothing was done
        ((0, 1, 1), False, 9.0, 1),  # at rest, after work
        ((0, 1, 2), False, 9.0, 2),
        ((0, 1, 2), True, 9.0, 0),  # at work
        ((0, 1, 2), True, 0.0, 2),  # at work, but for a long time
    ],
)
async def test_memory_is_given_back(monkeypatch, done: tuple[int, ...], busy: bool, longest: float, times: int) -> None:
    numbers, give_back = chain(done, repeat(done[-1])), Mock()
    monkeypatch.setattr(memory, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(memory, "LONGEST_SECONDS", longest)
    monkeypatch.setattr(memory, "give_back", give_back)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await give_back_regularly(lambda: next(numbers), lambda: busy)
    assert give_back.call_count == times

"""Lanes: a request that waits for its client lets others work, up to a limit of full-size images in memory."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
import pytest

from model.protocol import Finished
from service.scheduling import lanes as lanes_module
from service.scheduling.lanes import FILE_BYTES, LARGE_PIXELS, SMALL_UNREAD, Lanes
from service.scheduling.turns import Turn
from tests.service.waiting import until

LARGE = LARGE_PIXELS + 2


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The owners whose requests have begun to make images."""
    monkeypatch.setattr(lanes_module, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(lanes_module, "IMAGES_BYTES", 0)  # one image at a time
    return []


def ask(
    lanes: Lanes, owner: str, begun: list[str], read: asyncio.Event, pixels: int = LARGE, compression: int = 1
) -> "asyncio.Task[int]":
    """Request two images of so many pixels, and read the files only when told; return the number of files."""

    def images() -> Iterator[Finished]:
        begun.append(owner)
        for _ in range(2):
            yield Finished(np.zeros((1, 1, 3), np.uint8), ())

    async def take() -> int:
        count, lane = 0, lanes.of(2 * pixels)
        file = bytes(FILE_BYTES * pixels // compression)
        async for _ in lane.finish(images(), lambda *_: file, {}, Turn(lane.turns, owner, 0), 2, pixels):
            await read.wait()
            count += 1
        return count

    return asyncio.create_task(take())


@pytest.mark.parametrize(
    ("pixels", "compression", "most"), [(LARGE, 1, 2), (LARGE * 2 // 3, 1, 3), (LARGE, 10, 4), (LARGE * 2 // 3, 10, 7)]
)
async def test_only_so_many_hold_memory_for_clients_that_do_not_read(
    begun: list[str], pixels: int, compression: int, most: int
) -> None:
    lanes, read = Lanes(2, LARGE), asyncio.Event()
    tasks = [ask(lanes, f"owner {i}", begun, read, pixels, compression) for i in range(20)]
    await until(lambda: len(begun) == most)
    await asyncio.sleep(0.1)
    assert len(begun) == most
    read.set()
    assert await asyncio.gather(*tasks) == [2] * 20
    lanes.close()


@pytest.mark.parametrize("compression", [1, 100])
async def test_one_owner_that_does_not_read_leaves_room_for_others(begun: list[str], compression: int) -> None:
    lanes, read, at_once = Lanes(2, LARGE), asyncio.Event(), asyncio.Event()
    at_once.set()
    slow = [ask(lanes, "slow", begun, read, compression=compression) for _ in range(8)]
    await asyncio.sleep(0.1)
    assert await asyncio.wait_for(ask(lanes, "other", begun, at_once), 5) == 2
    assert begun[-1] == "other"
    assert len(begun) < len(slow)
    read.set()
    assert await asyncio.gather(*slow) == [2] * 8
    lanes.close()


async def test_answers_that_fit_wait_for_none_that_are_not_read(begun: list[str]) -> None:
    lanes, read, at_once = Lanes(2, LARGE), asyncio.Event(), asyncio.Event()
    at_once.set()
    unread = [ask(lanes, f"owner {i % 4}", begun, read, LARGE_PIXELS // 2) for i in range(12)]
    await until(lambda: len(begun) == 2 + SMALL_UNREAD)
    small = ask(lanes, "other", begun, at_once, 500_000)
    assert await asyncio.wait_for(small, 30) == 2
    assert not any(each.done() for each in unread)
    read.set()
    assert await asyncio.gather(*unread) == [2] * 12
    lanes.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads are all as nice as their process")
async def test_threads_for_large_requests_and_those_that_they_start_are_nicer() -> None:
    def niceness() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()

    lanes = Lanes(2, LARGE)
    assert await lanes.small.run(niceness) == niceness()
    assert await lanes.large.run(niceness) > niceness()
    lanes.close()


@asynccontextmanager
async def at_work(lanes: Lanes) -> AsyncIterator[None]:
    """Keep work hanging in the large lane; at the end, finish it and close the lanes."""
    began, gate = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        assert gate.wait(5)

    hanging = lanes.large.run(hang)
    assert await asyncio.to_thread(began.wait, 5)
    yield
    gate.set()
    await hanging
    lanes.check(100)
    lanes.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells what a thread computes")
async def test_a_nice_thread_that_gets_on_slowly_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    now, computed, lanes = 0.0, 0.0, Lanes(1, LARGE)
    monkeypatch.setattr(lanes_module, "monotonic", lambda: now)
    monkeypatch.setattr(lanes_module, "_computed", lambda thread: computed)
    async with at_work(lanes):
        for _ in range(10):
            now, computed = now + 30, computed + 1
            lanes.check(100)
        now += 30
        with pytest.raises(TimeoutError, match="codec-large"):  # without progress
            lanes.check(100)
        computed += 100
        with pytest.raises(TimeoutError, match="codec-large"):  # computing endlessly
            lanes.check(100)


async def test_a_lane_that_hangs_is_told_from_one_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    now, lanes = 0.0, Lanes(1, LARGE)
    monkeypatch.setattr(lanes_module, "monotonic", lambda: now)

    def wait() -> None:
        nonlocal now
        now += 90
        lanes.check(100)

    for _ in range(3):  # together they take longer than one may
        await lanes.large.run(wait)
    async with at_work(lanes):
        now += 90
        lanes.check(100)
        now += 20
        with pytest.raises(TimeoutError, match="codec-large"):
            lanes.check(100)

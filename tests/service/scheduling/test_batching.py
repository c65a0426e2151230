"""Batches of waiting requests, in which a failure of one does not affect the others."""

import asyncio
import math
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from traceback import clear_frames

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.scheduling import batching
from service.scheduling.batching import FIRST_LATENTS, TURN_LATENTS, Batcher
from tests.service.waiting import until

PATIENCE_SECONDS = 5


class Network:
    """A network that doubles numbers in batches, behind a gate; some numbers make it fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        assert self.gate.wait(PATIENCE_SECONDS)
        if any(number < 0 for number in numbers):
            raise ValueError("negative")
        return [2 * number for number in numbers]

    def negate(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        return [-number for number in numbers]


@asynccontextmanager
async def started(
    max_latents: int = 8, max_wait: float = 0.0, seconds: float = math.inf
) -> AsyncIterator[tuple[Batcher, Network]]:
    """A batcher, and a network that records the latents of each batch in `sizes`."""
    network = Network()
    batcher = Batcher(max_latents, max_wait, network.sizes.append, seconds)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield batcher, network
    finally:
        network.gate.set()
        batcher.close()


async def busy(batcher: Batcher, network: Network, owner: str = "") -> asyncio.Task[int]:
    """Keep the network busy with job 0 until its gate is opened."""
    network.gate.clear()
    job = asyncio.create_task(batcher.submit(network.run, 0, 1, owner))
    await until(lambda: bool(network.batches))
    return job


async def waiting(batcher: Batcher, run: Callable[..., list[int]], *jobs: tuple) -> list[asyncio.Task[int]]:
    """Queue jobs, (number, latents) or (number, latents, owner), behind the others."""
    depth = batcher.depth
    tasks = [asyncio.create_task(batcher.submit(run, *job)) for job in jobs]
    await until(lambda: batcher.depth == depth + len(jobs))
    return tasks


async def behind_gate(batcher: Batcher, network: Network, jobs: Sequence[tuple]) -> list[asyncio.Task[int]]:
    """Queue jobs while the network is busy with another; then open its gate."""
    first = await busy(batcher, network)
    tasks = await waiting(batcher, network.run, *jobs)
    network.gate.set()
    assert await first == 0
    return tasks


async def test_those_that_wait_together_share_batches_whoever_they_are() -> None:
    async with started() as (batcher, network):
        jobs = [(1, 4, "a"), (2, 4, "b"), (3, 1, "b"), (4, 16, "b"), (5, 8, "b")]
        tasks = await behind_gate(batcher, network, jobs)
        assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
        assert network.batches == [[0], [1, 2], [3], [4], [5]]
        assert batcher.depth == 0
    assert network.sizes == [1, 8, 1, 16, 8]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 8))
async def test_first_come_first_served_and_never_too_many(latents: list[int], max_latents: int) -> None:
    async with started(max_latents) as (batcher, network):
        tasks = await behind_gate(batcher, network, list(enumerate(latents)))
        assert await asyncio.gather(*tasks) == [2 * i for i in range(len(latents))]
        batches = network.batches[1:]
        assert [i for batch in batches for i in batch] == list(range(len(latents)))
        for batch in batches:
            assert len(batch) == 1 or sum(latents[i] for i in batch) <= max_latents


async def test_a_new_request_waits_only_for_the_batch_in_work() -> None:
    """Between the parts of two requests, the attacker has nothing in the queue for a moment."""
    batches, steps = list[list[str]](), threading.Semaphore(0)

    def run(names: Sequence[str]) -> list[str]:
        batches.append(list(names))
        assert steps.acquire(timeout=PATIENCE_SECONDS)
        return list(names)

    async def in_parts(batcher: Batcher, name: str) -> None:
        for part in range(3):
            await batcher.submit(run, f"{name}, part {part}", TURN_LATENTS, "attacker")

    async with started(max_latents=TURN_LATENTS) as (batcher, _):
        attack = [asyncio.create_task(in_parts(batcher, name)) for name in ("first", "second")]
        await until(lambda: len(batches) == 1 and batcher.depth == 1)
        steps.release()
        await until(lambda: len(batches) == 2 and batcher.depth == 1)
        normal = asyncio.create_task(batcher.submit(run, "normal", TURN_LATENTS, "normal"))
        await until(lambda: batcher.depth == 2)
        steps.release(6)
        await asyncio.gather(normal, *attack)
        assert batches[2] == ["normal"]


async def test_other_work_is_not_mixed_in() -> None:
    async with started() as (batcher, network):
        tasks = [await busy(batcher, network)]
        tasks += await waiting(batcher, network.run, (1, 1), (2, 1))
        tasks += await waiting(batcher, network.negate, (5, 1), (6, 1))
        tasks += await waiting(batcher, network.run, (7, 1))
        network.gate.set()
        assert await asyncio.gather(*tasks) == [0, 2, 4, -5, -6, 14]
        assert network.batches == [[0], [1, 2], [5, 6], [7]]


async def test_two_batches_run_at_once_and_a_third_waits_for_a_thread() -> None:
    async with started() as (batcher, network):
        batcher.at_once = 2
        tasks = [await busy(batcher, network)]
        tasks.append(asyncio.create_task(batcher.submit(network.run, 1, 1)))
        await until(lambda: network.batches == [[0], [1]])
        tasks += await waiting(batcher, network.run, (2, 1), (3, 1))
        network.gate.set()
        assert await asyncio.gather(*tasks) == [0, 2, 4, 6]
        assert network.batches == [[0], [1], [2, 3]]
        assert await batcher.submit(network.run, 4, 1) == 8  # both threads have rested


async def test_no_wait_when_nobody_is_coming() -> None:
    async with started(max_wait=10 * PATIENCE_SECONDS) as (batcher, network):
        assert await batcher.submit(network.run, 1, 1) == 2


async def test_waits_for_those_that_are_coming() -> None:
    async with started(max_wait=PATIENCE_SECONDS) as (batcher, network):
        with batcher.coming():
            first = asyncio.create_task(batcher.submit(network.run, 1, 1))
            await asyncio.sleep(0.05)
            assert not network.batches
        assert await batcher.submit(network.run, 2, 1) == 4
        assert await first == 2
        assert network.batches == [[1, 2]]


@pytest.mark.parametrize(("latents", "max_wait"), [(1, 0.01), (8, 10 * PATIENCE_SECONDS)])
async def test_waits_no_longer_than_it_may_nor_for_a_full_batch(latents: int, max_wait: float) -> None:
    async with started(max_wait=max_wait) as (batcher, network):
        with batcher.coming():
            assert await batcher.submit(network.run, 1, latents) == 2


@pytest.mark.parametrize("guilty", range(5))
async def test_one_failure_is_one_requests_own(guilty: int) -> None:
    async with started() as (batcher, network):
        numbers = [-1 if i == guilty else i for i in range(5)]
        tasks = await behind_gate(batcher, network, [(number, 1) for number in numbers])
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[guilty], ValueError)
        assert [each for i, each in enumerate(found) if i != guilty] == [2 * i for i in range(5) if i != guilty]


def taking(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float]) -> Callable[[Sequence[int]], list[int]]:
    """Return a function to run; a batch takes the given seconds by the batcher's clock."""
    now = 0.0
    monkeypatch.setattr(batching, "perf_counter", lambda: now)

    def run(numbers: Sequence[int]) -> list[int]:
        nonlocal now
        now += seconds(len(numbers))
        return list(numbers)

    return run


async def test_after_a_slow_batch_comes_a_small_one_and_after_a_quick_one_a_full_one(monkeypatch) -> None:
    async with started(2 * TURN_LATENTS, seconds=0.1) as (batcher, network):
        run = taking(monkeypatch, lambda _: 1.0 if len(network.sizes) == 1 else 0.01)
        await asyncio.gather(*(batcher.submit(run, i, 1) for i in range(5 * TURN_LATENTS)))
    assert network.sizes == [2 * TURN_LATENTS, TURN_LATENTS, 2 * TURN_LATENTS]


async def test_a_small_batch_in_time_makes_the_next_no_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    run = taking(monkeypatch, lambda size: 0.25 + 0.02 * size)
    async with started(seconds=0.5) as (batcher, network):
        await batcher.submit(run, 0, 1)
        await asyncio.gather(*(batcher.submit(run, i, 1) for i in range(16)))
    assert network.sizes == [1, FIRST_LATENTS, 6, 6]


async def test_the_first_parts_are_small_until_one_has_shown_how_many_are_in_time(monkeypatch) -> None:
    run = taking(monkeypatch, lambda _: 0.2)
    async with started(16, seconds=0.5) as (batcher, _):
        await batcher.submit(run, 0, 1, "normal")  # shows little: much of its time does not depend on the number
        assert batcher.most_latents("other") == FIRST_LATENTS
        await batcher.submit(run, 0, 2, "other")
        assert batcher.most_latents("other") == 5


async def test_a_batch_that_runs_out_of_memory_holds_none_while_its_halves_are_tried() -> None:
    class Memory:
        pass

    taken: list[weakref.ref[Memory]] = []
    held: list[int] = []

    def run(numbers: Sequence[int]) -> list[int]:
        held.append(sum(memory() is not None for memory in taken))
        memory = Memory()
        taken.append(weakref.ref(memory))
        if len(numbers) > 1:
            raise MemoryError
        return list(numbers)

    async with started() as (batcher, network):
        assert await asyncio.gather(*(batcher.submit(run, i, 1) for i in range(4))) == [0, 1, 2, 3]
    assert network.sizes == [4, 2, 1, 1, 2, 1, 1]
    assert held == [0] * 7


async def test_what_is_given_up_is_not_run() -> None:
    async with started() as (batcher, network):
        first = await busy(batcher, network)
        given_up, kept = await waiting(batcher, network.run, (1, 1), (2, 1))
        given_up.cancel()
        await until(lambda: batcher.depth == 1)
        first.cancel()  # its batch has begun, and ends without a receiver
        network.gate.set()
        assert await kept == 4
        assert network.batches == [[0], [2]]
        assert given_up.cancelled()
        assert first.cancelled()


async def test_closing_gives_up_what_waits() -> None:
    async with started() as (batcher, network):
        first = await busy(batcher, network)
        (job,) = await waiting(batcher, network.run, (1, 8))
        batcher.close()
        network.gate.set()
        await asyncio.wait([job])
        assert job.cancelled()
        first.cancel()


async def test_clearing_the_frames_of_an_error_affects_no_others() -> None:
    """Requests clear frames to free their data at once. The error may be raised by the batcher itself."""
    async with started() as (batcher, network):
        network.gate.clear()
        failing = asyncio.create_task(batcher.submit(lambda numbers: [], 1, 1))  # fewer results than items
        other = asyncio.create_task(batcher.submit(network.run, 2, 1))
        with pytest.raises(ValueError, match="zip") as caught:
            await failing
        await until(lambda: bool(network.batches))
        clear_frames(caught.value.__traceback__)
        network.gate.set()
        assert await other == 4


async def test_an_iterator_that_ends_too_early_is_an_error_like_any_other() -> None:
    """Up to Python 3.12, a future that gets a StopIteration never ends."""
    async with started() as (batcher, network):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await batcher.submit(lambda numbers: next(iter(())), 1, 1)
        assert await batcher.submit(network.run, 2, 1) == 4

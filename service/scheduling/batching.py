"""Batches: waiting requests share one pass through the network, on separate threads."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any, TypeVar

import structlog

from service.scheduling.fair_queue import FairQueue
from service.threads import run_on

__all__ = ["Batcher", "Run"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
T = TypeVar("T")

Run = Callable[[Sequence[ItemT]], list[ResultT]]

TURN_LATENTS = 2
"""Samples that an owner draws in one turn if others wait and the machine is slow; no batch has a lower limit.

On a CPU, one sample takes as long as two, which share their passes. n = 4 in two turns takes about a fifth more
processor time than at once, but a request that arrives meanwhile waits half as long.
"""
FIRST_LATENTS = 2 * TURN_LATENTS
"""Latents of the first batches, until one was measured. Larger ones would delay others most on a slow machine."""
MOST_AT_ONCE = 2
"""Maximum of batches that run at the same time: one more hides what the other does on one core."""
SHARED_SECONDS = 10.0
"""Time for which an owner counts as present after its last request."""

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class _Job:
    run: Callable[[Sequence[Any]], list[Any]]
    item: Any
    latents: int
    result: asyncio.Future[Any]


class Batcher:
    """Runs work in batches on threads; use it from one event loop.

    Owners take turns; work of several shares a batch.
    A batch begins as soon as a thread is free. It waits a little only if it is not full and other requests are about to
    arrive. A batch that fails is halved until only one request fails.
    """

    at_once = 1
    """number of batches that may run at the same time, up to MOST_AT_ONCE"""

    def __init__(
        self, max_latents: int, max_wait_seconds: float, observe: Callable[[int], object], seconds: float = math.inf
    ) -> None:
        """max_latents: maximum of one batch, unless one request has more. observe: gets each batch's latents.

        seconds: target time of a batch, because new requests wait for its end. If one is slower, the next is smaller.
        """
        self._max_latents = max_latents
        self._seconds = seconds
        self._fitting: float = min(FIRST_LATENTS, max_latents)
        """latents of the next batch, if several requests share it or one is drawn in parts"""
        self._max_wait = max_wait_seconds
        self._observe = observe
        # one for each batch, which is tried again on the same: another would begin while the failed pass holds memory
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="inference") for _ in range(MOST_AT_ONCE)]
        self._waiting = FairQueue[_Job]()
        self._seen: dict[str, float] = {}
        """when each owner last came or left, in the last SHARED_SECONDS"""
        self._coming = 0
        self._change = asyncio.Event()
        self._workers: dict[ThreadPoolExecutor, asyncio.Task[None]] = {}

    @property
    def depth(self) -> int:
        return len(self._waiting)

    async def submit(self, run: Run[ItemT, ResultT], item: ItemT, latents: int, owner: str = "") -> ResultT:
        """Run `run` on a batch that holds the item, and return the item's result, or raise its error.

        latents: cost of the item. owner: the key or address that sent it.
        If cancelled before its batch has begun, drops the item.
        """
        self._see(owner)
        job = _Job(run, item, latents, asyncio.get_running_loop().create_future())
        self._waiting.add(job, latents, owner)
        self._change.set()
        free = next((thread for thread in self._threads[: self.at_once] if thread not in self._workers), None)
        if free is not None:
            # in its own context, since it outlives the request that started it
            self._workers[free] = asyncio.get_running_loop().create_task(self._work(free), context=Context())
        try:
            return await job.result
        finally:
            self._waiting.discard(job, owner)
            self._see(owner)

    def most_latents(self, *owners: str) -> float:
        """Return the maximum latents that these owners should submit at once: no limit if no other owner is present."""
        recent = monotonic() - SHARED_SECONDS
        seen = (owner for owner, when in self._seen.items() if when > recent)
        others = {*self._waiting.owners, *seen} - {*owners}
        return max(self._fitting, TURN_LATENTS) if others else math.inf

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Announce a request that will submit something soon."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._change.set()

    async def call(self, work: Callable[..., T], *arguments: object) -> T:
        """Run another function on a thread of the network."""
        return await run_on(self._threads[0], work, *arguments)

    def close(self) -> None:
        """Drop what has not begun, and let the threads end."""
        for worker in self._workers.values():
            worker.cancel()
        for job in self._waiting:
            job.result.cancel()
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)

    def _see(self, owner: str) -> None:
        now = monotonic()
        self._seen = {other: when for other, when in self._seen.items() if when > now - SHARED_SECONDS} | {owner: now}

    async def _work(self, thread: ThreadPoolExecutor) -> None:
        try:
            while self._waiting:
                await self._wait_for_more()
                await self._run_or_fail(self._take(), thread)  # of nothing, if another worker has taken all
        finally:
            del self._workers[thread]  # at once: new work starts a new one
        if not self._workers:
            self._waiting.rest()

    async def _run_or_fail(self, batch: Sequence[_Job], thread: ThreadPoolExecutor) -> None:
        """Run a batch, and pass an unexpected error to its jobs; the worker goes on with others.

        A separate frame, which ends here: requests clear the frames of their errors, which up to Python 3.12 would end
        the worker.
        """
        try:
            await self._run(batch, thread)
        except Exception as error:
            log.exception("batch_failed")
            for job in batch:
                if not job.result.done():
                    job.result.set_exception(error)

    async def _wait_for_more(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_wait):
                while self._coming and sum(job.latents for job in self._waiting) < self._fitting:
                    self._change.clear()
                    await self._change.wait()

    def _take(self) -> list[_Job]:
        """Take the next jobs of one kind that fit into one batch, at least one."""
        batch: list[_Job] = []
        latents = 0
        while self._waiting:
            job = self._waiting.first()
            if batch and (job.run != batch[0].run or latents + job.latents > self._fitting):
                break
            latents += job.latents
            batch.append(self._waiting.pop())
        return batch

    async def _run(self, jobs: Sequence[_Job], thread: ThreadPoolExecutor) -> None:
        batch = [job for job in jobs if not job.result.done()]  # requests may have been cancelled meanwhile
        if not batch:
            return
        self._observe(sum(job.latents for job in batch))
        if not await self._succeeds(batch, thread):
            # only here, where the error is gone: it holds all memory of the failed pass
            middle = len(batch) // 2
            await self._run(batch[:middle], thread)
            await self._run(batch[middle:], thread)

    async def _succeeds(self, batch: Sequence[_Job], thread: ThreadPoolExecutor) -> bool:
        """Run a batch and set its jobs' results, or say that the batch is to be halved."""
        started = perf_counter()
        try:
            results = await run_on(thread, batch[0].run, [job.item for job in batch])
        except Exception as error:  # any error goes to the jobs that caused it
            if len(batch) > 1:
                log.warning("batch_halved", requests=len(batch), reason=f"{type(error).__name__}: {error}"[:200])
                return False
            if not batch[0].result.done():
                batch[0].result.set_exception(error)
            return True
        elapsed = perf_counter() - started
        pace = sum(job.latents for job in batch) / elapsed
        fitting = min(max(pace * self._seconds, TURN_LATENTS), self._max_latents)
        # a small batch in time does not show the maximum: much of its time does not depend on its size
        keep = min if elapsed > self._seconds else max
        self._fitting = keep(fitting, self._fitting)
        for job, result in zip(batch, results, strict=True):
            if not job.result.done():
                job.result.set_result(result)
        return True

"""Lanes: threads for full-size work, so that small requests never wait behind large ones."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from threading import get_native_id
from time import monotonic, perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.protocol import IMAGES_BYTES, Finished, HintMatch
from service.scheduling.turns import Turn, Turns
from service.threads import be_nice, run_on

__all__ = ["FILE_BYTES", "LARGE_AT_ONCE", "LARGE_PIXELS", "MAX_UNREAD_BYTES", "Lane", "Lanes"]

LARGE_PIXELS = 4_000_000
"""Maximum pixels of all samples of a small request; larger requests never block others."""
PATIENCE_SECONDS = 0.5
"""A request whose file waits longer than this for its client lends its place to others."""
ENCODED_AT_ONCE = 2
"""Samples of a small request that are encoded while the next is upsampled; large requests encode none meanwhile.

The memory budget (tests/docker/budget.py) counts on this.
"""

MAX_UNREAD_BYTES = 8 * 1024 * 1024
"""Maximum unread bytes of an answer; above it, no further sample is made."""
ANSWER_BYTES = 6  # per pixel: maximum of a PNG with alpha, in base64
IMAGE_BYTES = 3  # per pixel
FILE_BYTES = 3  # per pixel: approximate maximum of a PNG
UNREAD_BYTES = 11
"""Maximum per pixel of an unread file: FILE_BYTES, and 8 of base64, in pieces and as a whole."""
LARGE_AT_ONCE = 1
"""Large requests whose samples are made at once."""
LARGE_UNREAD, SMALL_UNREAD = 1, 5
"""Further requests of each lane whose files wait for their clients, if they are as large as can be.

There may be more, in the same memory, if they are smaller. One owner may have half of a lane's memory.
"""

LARGE_DRAWN = 2
"""Large requests of one owner from drawing to their last file: one is finished while the next is drawn.

One whose client keeps it waiting does not count.
"""
LARGE_NICE = 5
"""Niceness of threads for large requests: in competition with small ones, they get a quarter of a processor."""

T = TypeVar("T")
Encode = Callable[[NDArray[np.uint8], int], bytes]
"""makes a file of an image and its place among those of the request"""


class Lane:
    """Threads for work on pixels, and a limit on the requests that hold full-size images at once."""

    def __init__(
        self,
        name: str,
        threads: int,
        at_once: int,
        memory: int,
        encoded_at_once: int,
        drawn: int = sys.maxsize,
        nice: int = 0,
    ) -> None:
        """at_once: maximum requests in work. memory: bytes of images and unread files of all requests that have begun.

        drawn: maximum requests of one owner that hold a turn. nice: niceness of the threads and those that they start.
        """
        self._name = name
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=be_nice, initargs=(nice,))
        self.turns = Turns(drawn)
        """held from before drawing until the last file is made, or waits for its client"""
        self._pieces: dict[int, _Piece] = {}
        """the piece of work of each busy thread"""
        self.memory = memory
        self._begun, self._next = Turns(memory // 2, memory), Turns(at_once)
        self._at_once = asyncio.Semaphore(at_once)
        self._encoded_at_once = encoded_at_once

    def run(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return run_on(self._threads, self._work, work, *arguments)

    def check(self, seconds: float) -> None:
        """Raise TimeoutError if one piece of work has been running for longer than this, and hangs.

        It hangs if its thread has used no processor time since the last check, or this much in all. On a busy machine,
        a nice thread is slow, but makes progress.
        """
        for thread, piece in list(self._pieces.items()):
            computed, before = _computed(thread), piece.computed
            piece.computed = computed
            lasts = monotonic() - piece.since
            if lasts <= seconds or self._pieces.get(thread) is not piece:
                continue
            if computed is None or computed == before or computed - piece.begin > seconds:
                raise TimeoutError(f"lane {self._name}: one piece of work has been running for {lasts:.0f} seconds")

    async def finish(
        self,
        images: Iterator[Finished],
        encode: Encode,
        timings: dict[str, float],
        turn: Turn,
        samples: int,
        pixels: int,
    ) -> AsyncGenerator[tuple[bytes, tuple[HintMatch, ...]]]:
        """Pull images, encode each beside the next, and yield it with its hints, in order, as soon as it is encoded.

        timings: gets the seconds of `upsample`, and the seconds of `encode` beyond upsampling.
        turn: one of `turns`, which ends here. samples, pixels: number of images, and pixels of each.
        An answer that is within MAX_UNREAD_BYTES as a whole waits for no client, nor for memory that others hold.
        If the consumer takes longer than PATIENCE_SECONDS for a file, others use the lane meanwhile, as many as memory
        allows. If closed or cancelled, drops work that has not begun.
        Raises the errors of `images`, after the files before them, and the errors of `encode`.
        """
        may_wait = ANSWER_BYTES * samples * pixels > MAX_UNREAD_BYTES
        files, images_bytes = min(samples, 1 + self._encoded_at_once), _images_bytes(samples, pixels)
        most = images_bytes + files * UNREAD_BYTES * pixels
        async with (
            self._begun.turn(turn.owner, most) if may_wait else nullcontext() as held,
            _Place(turn, self._next, self._at_once) as place,
        ):
            started, upsampling, more, count = perf_counter(), 0.0, True, 0
            failure: BaseException | None = None
            pulling: asyncio.Future[tuple[Finished | None, float]] | None = None
            encodings: deque[tuple[asyncio.Future[bytes], tuple[HintMatch, ...]]] = deque()
            try:
                while more or encodings:
                    if more and pulling is None and len(encodings) <= self._encoded_at_once:
                        pulling = self.run(_pull, images, perf_counter())
                    running: list[asyncio.Future[Any]] = [encoding for encoding, _ in [*encodings][:1]]
                    if pulling is not None:
                        running.append(pulling)
                    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    if pulling is not None and pulling.done():
                        failure = pulling.exception()
                        finished, seconds = (None, 0.0) if failure else pulling.result()
                        pulling, more = None, finished is not None
                        upsampling += seconds
                        if finished is not None:
                            encodings.append((self.run(encode, finished.image, count), finished.hints))
                            count += 1
                        del finished  # with its image
                    elif encodings[0][0].done():
                        encoding, hints = encodings.popleft()
                        file = encoding.result()
                        del encoding
                        if held is not None:
                            held.resize(images_bytes + files * len(file) * UNREAD_BYTES // FILE_BYTES)
                        async with place.lent() if may_wait else nullcontext():
                            yield file, hints
                if failure is not None:
                    raise failure
            finally:
                for left in (pulling, *(encoding for encoding, _ in encodings)):
                    if left is not None:
                        left.cancel()
            timings["upsample"] = upsampling
            timings["encode"] = perf_counter() - started - upsampling

    def close(self) -> None:
        """Drop work that has not begun, and let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _work(self, work: Callable[..., T], *arguments: object) -> T:
        thread = get_native_id()
        begin = _computed(thread)
        self._pieces[thread] = _Piece(monotonic(), begin or 0.0, begin)
        try:
            return work(*arguments)
        finally:
            del self._pieces[thread]


@dataclass
class _Piece:
    """A running piece of work."""

    since: float
    begin: float
    """processor time of its thread at its start"""
    computed: float | None
    """processor time of its thread at the last check"""


def _computed(thread: int) -> float | None:
    """Return the processor time of a thread; None if the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime(~thread << 3 | 6)  # Linux's id of this clock: pthread_getcpuclockid(3)
    except OSError:  # it has ended
        return None


def _images_bytes(samples: int, pixels: int) -> int:
    """Return the memory of the images that are upsampled at once, for samples of so many pixels each."""
    return min(IMAGE_BYTES * samples * pixels, max(IMAGE_BYTES * pixels, IMAGES_BYTES))


class _Place:
    """One of a lane's places, which may be lent to others for a while."""

    def __init__(self, turn: Turn, waiting: Turns, places: asyncio.Semaphore) -> None:
        """turn: ends with the place, or when it is first lent. waiting: limit on each owner's requests for a place."""
        self._turn, self._waiting, self._places = turn, waiting, places
        self._held = False

    async def __aenter__(self) -> "_Place":
        await self._take()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Lend the place to others if this takes longer than PATIENCE_SECONDS; then wait for a place again."""
        timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._give_back)
        try:
            yield
        finally:
            timer.cancel()
        await self._take()

    async def _take(self) -> None:
        if self._held:
            return
        await self._waiting.take(self._turn.owner)
        try:
            await self._places.acquire()
        except asyncio.CancelledError:
            self._waiting.give_back(self._turn.owner)
            raise
        self._held = True

    def _give_back(self) -> None:
        if self._held:
            self._held = False
            self._places.release()
            self._waiting.give_back(self._turn.owner)
            self._turn.resize(0)


def _pull(images: Iterator[Finished], submitted: float) -> tuple[Finished | None, float]:
    """Return the next image, and the seconds since it was asked for."""
    finished = next(images, None)
    return finished, perf_counter() - submitted


class Lanes:
    """Two lanes, for large and for small requests, so that small ones never wait behind large ones."""

    def __init__(self, threads: int, max_pixels: int) -> None:
        """max_pixels: limit for a photo."""
        small = (threads + SMALL_UNREAD) * (_images_bytes(1, LARGE_PIXELS) + UNREAD_BYTES * LARGE_PIXELS)
        self.small = Lane("codec", threads, threads, small, ENCODED_AT_ONCE)
        largest = _images_bytes(sys.maxsize, max_pixels) + UNREAD_BYTES * max_pixels
        large = (LARGE_AT_ONCE + LARGE_UNREAD) * largest
        self.large = Lane("codec-large", max(1, threads // 2), LARGE_AT_ONCE, large, 0, LARGE_DRAWN, LARGE_NICE)

    def of(self, pixels: int) -> Lane:
        return self.large if pixels > LARGE_PIXELS else self.small

    def check(self, seconds: float) -> None:
        """Raise TimeoutError if one piece of work has been running for longer than this, in either."""
        self.small.check(seconds)
        self.large.check(seconds)

    def close(self) -> None:
        self.small.close()
        self.large.close()

"""Lanes: threads for full-size work, so that small requests never wait behind large ones."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from model.protocol import Finished, HintMatch

__all__ = ["Files", "Lane", "Lanes"]

LARGE_PIXELS = 8_000_000
"""Of all samples of a request together: those with more never stand in the way of others."""
ENCODED_AT_ONCE = 2
"""Samples of a request that are encoded while the next is upsampled: more would have to be held."""

T = TypeVar("T")
Encode = Callable[[NDArray[np.uint8]], bytes]


@dataclass
class Files:
    """What has become of a request's samples."""

    data: list[bytes] = field(default_factory=list)
    hints: list[tuple[HintMatch, ...]] = field(default_factory=list)
    upsample_seconds: float = 0.0
    encode_seconds: float = 0.0
    """what encoding took beyond upsampling"""


class Lane:
    """Threads for work on pixels, and how many requests may hold full-size images for it at once."""

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._at_once = asyncio.Semaphore(threads)

    def run(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Run work beside the event loop."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def finish(self, images: Iterator[Finished], encode: Encode) -> Files:
        """Pull images and encode each. Cancelled, it drops what has not begun."""
        files = Files()
        encodings: list[asyncio.Future[bytes]] = []
        async with self._at_once:
            started = time.perf_counter()
            try:
                while True:
                    begun = time.perf_counter()
                    finished = await self.run(next, images, None)
                    files.upsample_seconds += time.perf_counter() - begun
                    if finished is None:
                        break
                    files.hints.append(finished.hints)
                    encodings.append(self.run(encode, finished.image))
                    if len(encodings) > ENCODED_AT_ONCE:
                        await encodings[-1 - ENCODED_AT_ONCE]
                files.data = await asyncio.gather(*encodings)
            finally:
                for encoding in encodings:
                    encoding.cancel()
            files.encode_seconds = time.perf_counter() - started - files.upsample_seconds
        return files

    def close(self) -> None:
        """Drop what has not begun, and let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """One lane for large requests, so that small ones never wait behind them, and one for all others."""

    def __init__(self, threads: int) -> None:
        self.small = Lane("codec", threads)
        self.large = Lane("codec-large", max(1, threads // 2))

    def of(self, pixels: int) -> Lane:
        """Return the lane of a request that makes this many pixels."""
        return self.large if pixels > LARGE_PIXELS else self.small

    def close(self) -> None:
        """Close both."""
        self.small.close()
        self.large.close()

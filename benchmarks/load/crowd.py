"""A crowd behind one address: `python -m benchmarks.load.crowd [--json -]`; takes three minutes.

Clients come within ten seconds, each with a photo of 12 megapixels, for four colorings as events. Whoever is refused
asks again when the service says, up to 30 times, as the page does. In the last row, some read 60 kB a second.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import typer

from benchmarks.photos import as_file
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, running

ARRIVAL_SECONDS = 10.0
SIZE, SAMPLES = (4000, 3000), 4
TRIES = 30
SLOW_BYTES = 60_000  # per second
GRAIN = 16.0
"""standard deviation of the photo's grain, by which its file is as large as a phone's: some 3 MB"""
CASES = ((25, 0), (60, 0), (25, 3))
"""numbers of clients, and of those that read slowly"""


@dataclass
class Crowd:
    """Answers that the clients of a service get."""

    first: list[float] = field(default_factory=list)
    """seconds from a client's first request to its first coloring"""
    whole: list[float] = field(default_factory=list)
    """seconds to all colorings"""
    refused: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    async def ask(self, client: httpx.AsyncClient, photo: bytes, is_slow: bool) -> None:
        """Ask until the service answers."""
        started = time.perf_counter()
        form: dict[str, Any] = {
            "files": {"image": photo},
            "data": {"n": str(SAMPLES)},
            "headers": {"Accept": "text/event-stream"},
        }
        for _ in range(TRIES):
            async with client.stream("POST", PATH, **form) as answer:
                if answer.status_code == 429:
                    self.refused += 1
                    await asyncio.sleep(float(answer.headers["Retry-After"]))
                    continue
                await self._read(answer, started, is_slow)
                return
        self.failed[f"refused {TRIES} times"] += 1

    async def _read(self, answer: httpx.Response, started: float, is_slow: bool) -> None:
        begun, end = 0, b""
        async for piece in answer.aiter_raw(SLOW_BYTES):
            if b"event: coloring" in piece and not begun and not is_slow:
                self.first.append(time.perf_counter() - started)
            begun += b"event: coloring" in piece
            end = (end + piece)[-2000:]
            if is_slow:
                await asyncio.sleep(1)
        if b"event: done" not in end:
            self.failed[f"{answer.status_code}, {begun} colorings"] += 1
        elif not is_slow:
            self.whole.append(time.perf_counter() - started)


async def crowd(url: str, photo: bytes, clients: int, slow: int) -> Crowd:
    """Let clients come at random times; the slow ones are the first."""
    found = Crowd()
    times = sorted(random.Random(0).uniform(0, ARRIVAL_SECONDS) for _ in range(clients))  # noqa: S311 - not a secret

    async def come(client: httpx.AsyncClient, i: int) -> None:
        await asyncio.sleep(times[i])
        await found.ask(client, photo, i < slow)

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=None, limits=limits) as client:  # noqa: S113 - the service has a deadline
        coming = [asyncio.create_task(come(client, i)) for i in range(clients)]
        await asyncio.gather(*coming[slow:])
        for reading in coming[:slow]:
            reading.cancel()
        await asyncio.gather(*coming[:slow], return_exceptions=True)
    return found


def main(json_file: JsonFile = None) -> None:
    """Measure, and print tables."""
    pixels = np.random.default_rng(0).normal(128, GRAIN, SIZE[::-1])
    photo = as_file(pixels.clip(0, 255).astype(np.uint8), "JPEG")
    rows, targets = [], []
    for clients, slow in CASES:
        with running() as service:
            asyncio.run(crowd(service.url, photo, 1, 0))
            begun = time.perf_counter()
            found = asyncio.run(crowd(service.url, photo, clients, slow))
            elapsed = time.perf_counter() - begun
        first, whole = (np.percentile(each or [np.inf], (50, 100)).tolist() for each in (found.first, found.whole))
        name = f"{clients} clients" + f", {slow} of them slow" * (slow > 0)
        row = {"clients": name, "answered": len(found.whole), "refused": found.refused, "failed": dict(found.failed)}
        row |= {"first coloring, median, s": first[0], "last, s": first[1]}
        rows.append(row | {"all four, median, s": whole[0], "last of all, s": whole[1], "in all, s": elapsed})
        answered = f"{len(found.whole)} of {clients - slow}"
        targets.append(Target(f"{name}: others are all answered", answered, len(found.whole) == clients - slow))
    write("a crowd behind one address", targets, {"cases": rows}, json_file)


if __name__ == "__main__":
    typer.run(main)

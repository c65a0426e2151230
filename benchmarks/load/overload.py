"""The service at twice its capacity: `python -m benchmarks.load.overload [--json -]`; takes 90 seconds.

Capacity is the answers per second to closed-loop clients. Then requests arrive at twice that rate, whether or not
earlier ones are answered, beside idle keep-alive connections and slow uploads.
"""

import asyncio
import contextlib
import resource
import time
from collections import Counter

import httpx
import numpy as np
import typer

from benchmarks.load.serving import OURS, REQUEST, SAMPLES, SIDE, measure_server, upload_slowly
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, made_up_photo, running
from service.settings import Settings

CLIENTS = 8
CAPACITY_SECONDS, SECONDS = 15.0, 60.0
OVERLOAD = 2.0
IDLE_CONNECTIONS = 500
SLOW_UPLOADERS = 50
SLOW_BYTES = 1000  # per second
THROUGHPUT = 0.75
"""Smallest allowed throughput under overload, as a share of capacity: refusals and idle clients also cost time."""


class Load:
    """A client process that overloads a service, and the answers that it gets."""

    def __init__(self, url: str, deadline_seconds: float) -> None:
        self._url = httpx.URL(url)
        self._timeout = deadline_seconds + 10
        self._photo = made_up_photo(SIDE, SIDE)
        self.statuses = Counter[str]()
        self.answered: list[tuple[float, float]] = []
        """send and answer time of each request answered 200, in seconds since the first request"""
        self.idle_answers, self.slow_uploads = Counter[str](), Counter[str]()

    async def run(self, rate: float) -> None:
        """Overload the service beside idle connections and slow uploads, until all requests are answered."""
        hangers_on = [asyncio.create_task(self._idle()) for _ in range(IDLE_CONNECTIONS)]
        hangers_on += [asyncio.create_task(self._upload_slowly()) for _ in range(SLOW_UPLOADERS)]
        try:
            await self._overload(rate)
        finally:
            for task in hangers_on:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*hangers_on)

    async def _overload(self, rate: float) -> None:
        started = time.perf_counter()
        async with self._client() as client, asyncio.TaskGroup() as tasks:
            for i in range(round(rate * SECONDS)):
                await asyncio.sleep(started + i / rate - time.perf_counter())
                tasks.create_task(self._ask(client, started))

    async def _idle(self) -> None:
        """Keep an idle connection alive; open another when the service closes it."""
        while True:
            reader, writer = await asyncio.open_connection(self._url.host, self._url.port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await reader.readuntil(b"\r\n")
            self.idle_answers[answer.split()[1].decode()] += 1
            while await reader.read(4096):
                pass
            writer.close()

    async def _upload_slowly(self) -> None:
        """Send a photo at a kilobyte per second, again and again."""
        async with self._client() as client:
            while True:
                answer = await upload_slowly(client, self._photo, SLOW_BYTES, 1, n="1")
                self.slow_uploads[str(answer.status_code)] += 1
                await asyncio.sleep(int(answer.headers.get("Retry-After", 0)))

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=CLIENTS)
        return httpx.AsyncClient(base_url=self._url, timeout=self._timeout, limits=limits)

    async def _ask(self, client: httpx.AsyncClient, started: float) -> None:
        sent, data = time.perf_counter() - started, {"n": str(SAMPLES)}
        try:
            answer = await client.post(PATH, files={"image": self._photo}, data=data)
        except httpx.HTTPError as error:
            self.statuses[type(error).__name__] += 1
            return
        self.statuses[str(answer.status_code)] += 1
        if answer.status_code == 200:
            self.answered.append((sent, time.perf_counter() - started))


def main(json_file: JsonFile = None) -> None:
    """Measure, and print tables."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    deadline = Settings().deadline_seconds
    with running() as service:
        capacity = measure_server(OURS, f"{service.url}{PATH}", CLIENTS, CAPACITY_SECONDS).per_second
        load = Load(service.url, deadline)
        asyncio.run(load.run(OVERLOAD * capacity))
    p50, p99 = np.percentile([end - sent for sent, end in load.answered] or [np.inf], (50, 99)).tolist()
    throughput = sum(end <= SECONDS for _, end in load.answered) / SECONDS
    kept, uploads = load.idle_answers, load.slow_uploads
    counted = ", ".join(f"{count} × {status}" for status, count in load.statuses.most_common())
    targets = [
        Target("only 200 and 429", counted, set(load.statuses) == {"200", "429"}),
        Target(f"p99 of those accepted below the deadline, {deadline:g} s", f"{p99:.1f} s", p99 < deadline),
        Target(
            f"answered at no less than {THROUGHPUT:g} of the capacity, {capacity:.2f}/s",
            f"{throughput:.2f}/s",
            throughput >= THROUGHPUT * capacity,
        ),
        Target(f"{IDLE_CONNECTIONS} idle connections answered", f"{kept['200']} × 200", set(kept) <= {"200"}),
        Target(f"{SLOW_UPLOADERS} slow uploads get 200 or 429", f"{dict(uploads)}", set(uploads) <= {"200", "429"}),
    ]
    figures = {
        "seconds": SECONDS,
        "request": REQUEST,
        "capacity_per_second": capacity,
        "statuses": dict(load.statuses),
        "throughput_per_second": throughput,
        "p50_seconds": p50,
        "p99_seconds": p99,
        "slow_uploads": dict(uploads),
    }
    write(f"{OVERLOAD:g} times the capacity", targets, figures, json_file)


if __name__ == "__main__":
    typer.run(main)

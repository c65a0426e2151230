"""Hostile clients: the cost of each attack to the service and to a normal client.

Every attack is limited in count and time, and targets a service that this module starts on this machine. Attackers run
in another process, so their computing does not delay the normal client's clock. Each round starts a new service and
goes through all attacks. Each is repeated until the normal client has enough answers for a meaningful percentile.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from signal import SIGKILL, SIGTERM, Signals
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil

from benchmarks.photos import as_file
from benchmarks.running import PATH, Service, end_with_parent, made_up_photo, running
from service.codecs.decoding import MAX_SCANS

__all__ = ["ATTACKS", "ROUNDS", "measure", "measure_ends"]

SECONDS = 10.0
"""Duration for which an attack holds its connections."""
MOST_SECONDS = 60.0
"""Longest duration of an attack before it starts again."""
ROUNDS = 3
REQUESTS = 60
"""Answers that the normal client gets in a round of one attack"""
ROUND_SECONDS = 60.0
"""Longest duration of a round of one attack, even with fewer answers than REQUESTS."""
SETTLE_SECONDS = 60.0
HANG_UP_SECONDS = 1.0
PROBE_SECONDS = 0.02
REFUSED_SECONDS = 0.5  # the normal client's pause after a refusal
NEIGHBOR = "127.0.0.2"
"""Address of the normal client; the attackers have others."""
ACCOMPLICES = [f"127.0.0.{last}" for last in range(3, 9)]
"""Addresses of attackers that work together"""
NORMAL = {"n": "1", "seed": "7"}

Row = dict[str, object]
Attack = Callable[[str, Any], Awaitable[object]]
"""Function that attacks, given the service's URL and the prepared files or requests"""


@dataclass
class _Round:
    """Measurements of one round of an attack."""

    extra_bytes: int = 0
    probes: list[tuple[float, float]] = field(default_factory=list)
    """seconds of each `GET /livez`, and processor seconds of the event loop's thread meanwhile"""
    normal: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


async def stay_away(url: str, nothing: None) -> None:
    """Attack nobody."""
    await asyncio.sleep(SECONDS)


async def post_json(url: str, body: bytes) -> None:
    """Send JSON again and again."""
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        for _ in range(20):
            await client.post(PATH, content=body, headers={"Content-Type": "application/json"})


async def read_nothing(url: str, sent: bytes, connections: int) -> None:
    """Send the same bytes on many connections, read nothing for a while, and disconnect."""
    address = urlsplit(url)

    async def send() -> None:
        _, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(sent)
        await asyncio.sleep(SECONDS)
        writer.transport.abort()

    await asyncio.gather(*(send() for _ in range(connections)))


async def post_all(
    url: str, requests: list[dict[str, Any]], seconds: float = 2 * SECONDS, addresses: Sequence[str | None] = (None,)
) -> None:
    """Post all requests at once from each address, read the answers, and hang up after a wait of `seconds`."""

    async def post(client: httpx.AsyncClient, request: dict[str, Any]) -> None:
        async with client.stream("POST", **request) as answer:
            async for _ in answer.aiter_raw():  # not kept: an answer may exceed the memory
                pass

    async def post_from(address: str | None) -> None:
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(base_url=url, timeout=seconds, transport=transport) as client:
            await asyncio.gather(*(post(client, request) for request in requests), return_exceptions=True)

    await asyncio.gather(*map(post_from, addresses))


def _large_answer() -> bytes:
    data = {"n": "4", "output_format": "png"}
    request = httpx.Request("POST", f"http://test{PATH}", files={"image": made_up_photo(1500, 1500)}, data=data)
    content = request.read()
    head = f"POST {PATH} HTTP/1.1\r\nHost: test\r\nContent-Type: {request.headers['content-type']}\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def _asked(image: bytes, data: dict[str, str] = NORMAL) -> dict[str, Any]:
    return {"url": PATH, "files": {"image": image}, "data": data}


def _slow_references() -> list[dict[str, Any]]:
    """Return 64 transfers, each with a photo that decodes at once and a reference that waits in the slow queue."""
    files = {"image": _flat_png(3600), "reference": _flat_png(7000)}
    return [{"url": "/v1/transfers", "files": files, "data": NORMAL}] * 64


def _many_candidates() -> list[dict[str, Any]]:
    """Return four requests with 64 candidates each: one with a broken photo, three with a good one."""
    photo = made_up_photo(256, 256)
    files = [photo[: len(photo) // 2], photo, photo, photo]
    return [_asked(file, {"candidates": "64", "select": "diverse"}) for file in files]


def _many_hints() -> list[dict[str, Any]]:
    """Return two requests with 32 hints each."""
    hints = json.dumps([{"x": i / 32, "y": i / 32, "color": "#a03c28"} for i in range(32)])
    return [_asked(made_up_photo(256, 256), {"n": "16", "hints": hints})] * 2


QUIET = "nobody"
SLOWEST = MAX_SCANS - 10
"""Scans of a JPEG close to the allowed maximum; decoding takes seconds."""
PIPELINING = (
    lambda: b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 50_000,
    partial(read_nothing, connections=30),
)
HANG_UPS = (lambda: [_asked(_jpeg(4096, SLOWEST))] * 12, partial(post_all, seconds=HANG_UP_SECONDS))
ATTACKS: dict[str, tuple[Callable[[], Any], Attack]] = {
    QUIET: (lambda: None, stay_away),
    "1 JSON bombs": (lambda: b'{"image":"x","hints":[' + b"{}," * 1_000_000 + b"{}]}", post_json),
    "2 pipelining, unread": PIPELINING,
    "3 answers unread": (_large_answer, partial(read_nothing, connections=16)),
    "4 two large answers": (
        lambda: [_asked(made_up_photo(4000, 3100), {"n": "16", "output_format": "png"})] * 2,
        partial(post_all, seconds=120),
    ),
    "5 JPEGs of many scans": (lambda: [_asked(_jpeg(1024, scans=3000))] * 12, post_all),
    "5 slow JPEGs, hung up": HANG_UPS,
    "5 slow JPEGs, six addresses": (
        lambda: [_asked(_jpeg(side, SLOWEST)) for side in (4096, 7000)] * 2,
        partial(post_all, addresses=ACCOMPLICES),
    ),
    "5 slow references": (_slow_references, partial(post_all, seconds=MOST_SECONDS)),
    "5 many candidates": (_many_candidates, post_all),
    "10 many hints": (_many_hints, post_all),
}
"""Name of each attack, with the builder of its files or requests, called before it begins, and the attack itself"""


def measure(rounds: int, attacks: Sequence[str]) -> list[Row]:
    """Run all attacks one after the other in each round, against a new service per round."""
    names = dict.fromkeys((QUIET, *attacks))
    seen: dict[str, list[_Round]] = {name: [] for name in names}
    for _ in range(rounds):
        with running() as service:
            for name in names:
                seen[name].append(asyncio.run(_measure(service, name)))
    return [_row(name, seen[name], seen[QUIET]) for name in names]


def measure_ends() -> Iterator[Row]:
    """End busy services; yield how each was ended, and the seconds until all of its processes were gone."""
    for what, how, (build, attack) in (
        ("SIGTERM, 30 connections that pipeline and read nothing", SIGTERM, PIPELINING),
        ("SIGKILL, all decoders at work", SIGKILL, HANG_UPS),
    ):
        with running() as service:
            seconds = asyncio.run(_end(service, how, attack(service.url, build())))
            yield {"ended by": what, "until all processes were gone, s": seconds}


async def _end(service: Service, how: Signals, attack: Awaitable[object]) -> float:
    attacking = asyncio.create_task(_bounded(attack))
    await asyncio.sleep(1)
    processes, started = service.processes, time.perf_counter()
    service.process.send_signal(how)
    await asyncio.to_thread(psutil.wait_procs, processes, MOST_SECONDS)
    seconds = time.perf_counter() - started
    await attacking
    return seconds


async def _measure(service: Service, name: str) -> _Round:
    photo, seen = made_up_photo(256, 256), _Round()
    transport = httpx.AsyncHTTPTransport(local_address=NEIGHBOR)  # own address, for its own fair share of the queue
    async with httpx.AsyncClient(base_url=service.url, timeout=120, transport=transport) as client:

        async def ask() -> None:
            started = time.perf_counter()
            answer = await client.post(PATH, files={"image": photo}, data=NORMAL)
            seen.normal.append(time.perf_counter() - started)
            if answer.status_code != 200:
                seen.refused[answer.json()["code"] + ": " + answer.json()["detail"]] += 1
                await asyncio.sleep(REFUSED_SECONDS)

        async def probe() -> None:
            while True:
                started, computed = time.perf_counter(), _computed(service)
                await client.get("/livez")
                seen.probes.append((time.perf_counter() - started, _computed(service) - computed))
                seen.extra_bytes = max(seen.extra_bytes, _memory(service) - before)
                await asyncio.sleep(PROBE_SECONDS)

        async with _attacker(service.url, name) as begins:
            await _settle(client)
            before = _memory(service)
            await client.post(PATH, files={"image": photo}, data=NORMAL)  # warm-up
            begins.set()
            probing, end = asyncio.create_task(probe()), time.monotonic() + ROUND_SECONDS
            while len(seen.normal) < REQUESTS and time.monotonic() < end:
                await ask()
            if probing.done():
                probing.result()  # raises the error that ended the probes
            probing.cancel()
    return seen


@asynccontextmanager
async def _attacker(url: str, name: str) -> AsyncIterator[Event]:
    """Start a process that attacks again and again, once the event is set."""
    context = get_context("spawn")
    is_ready, begins = context.Event(), context.Event()
    process = context.Process(target=_attack, args=(url, name, is_ready, begins), daemon=True)
    process.start()
    try:
        while not await asyncio.to_thread(is_ready.wait, PROBE_SECONDS):
            _check_alive(process, name)
        yield begins
        _check_alive(process, name)
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _check_alive(process: BaseProcess, name: str) -> None:
    if not process.is_alive():
        raise RuntimeError(f"the attacker of {name!r} ended by itself")


def _attack(url: str, name: str, is_ready: Event, begins: Event) -> None:
    end_with_parent()
    build, attack = ATTACKS[name]
    built = build()

    async def repeat() -> None:
        while True:
            await _bounded(attack(url, built))

    is_ready.set()
    begins.wait()
    asyncio.run(repeat())


async def _settle(client: httpx.AsyncClient) -> None:
    """Wait until the service has finished the requests of the previous attack."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end and "\ntintflow_accepted_requests 0.0" not in (await client.get("/metrics")).text:
        await asyncio.sleep(0.5)


def _row(name: str, rounds: Sequence[_Round], quiet_rounds: Sequence[_Round]) -> Row:
    normal = [seconds for each in rounds for seconds in each.normal]
    p50, p99 = np.percentile(normal, (50, 99)).tolist()
    quiet_p99 = np.percentile([seconds for each in quiet_rounds for seconds in each.normal], 99).item()
    blocked, computing = (max(each) for each in zip(*(probe for each in rounds for probe in each.probes), strict=True))
    ratios = [
        np.percentile(each.normal, 99) / np.percentile(beside.normal, 99)
        for each, beside in zip(rounds, quiet_rounds, strict=True)
    ]
    refused = sum((each.refused for each in rounds), Counter[str]())
    return {
        "attack": name,
        "extra memory, MB": max(each.extra_bytes for each in rounds) / 1e6,  # beyond the memory of all processes before
        "loop blocked, s": blocked,  # longest time without an answer to `GET /livez`
        "loop computing, s": computing,  # its thread's largest processor time in such a wait
        "normal requests": len(normal),
        "p50, s": p50,
        "p99, s": p99,
        "against nobody's p99": p99 / quiet_p99,
        "in each round": ", ".join(f"{ratio:.1f}" for ratio in ratios),
        "refused": ", ".join(f"{number} × {code}" for code, number in refused.items()) or "0",
    }


async def _bounded(attack: Awaitable[object]) -> None:
    with suppress(TimeoutError, httpx.HTTPError, OSError):  # the service cuts attackers off, as it should
        async with asyncio.timeout(MOST_SECONDS):
            await attack


def _jpeg(side: int, scans: int) -> bytes:
    """Return a JPEG that repeats its last scan."""
    jpeg = as_file(np.zeros((side, side), np.uint8), "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + scan * scans + jpeg[-2:]


def _flat_png(side: int) -> bytes:
    return as_file(np.full((side, side, 3), (200, 90, 60), np.uint8), "PNG")


def _computed(service: Service) -> float:
    """Return the processor seconds of the main thread, which runs the event loop."""
    main = next(each for each in service.process.threads() if each.id == service.process.pid)
    return float(main.user_time + main.system_time)


def _memory(service: Service) -> int:
    total = 0
    for process in service.processes:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total

"""Hostile clients: what each kind of them costs the service, and a normal client beside them.

Every attack is bounded in count and time, and goes to a service of our own on this machine.
"""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from signal import SIGKILL, SIGTERM, Signals
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
from PIL import Image

from benchmarks.running import Service, made_up_photo, running
from service.codecs.decoding import MAX_SCANS

__all__ = ["ATTACKS", "MEGA", "Row", "measure", "measure_ends"]

SECONDS = 10.0
"""How long an attack holds what it has."""
MOST_SECONDS = 60.0
"""How long an attack goes on at most."""
HANG_UP_SECONDS = 1.0
PROBE_SECONDS = 0.02
REFUSED_SECONDS = 0.5  # a normal client's pause after it was refused
NEIGHBOR = "127.0.0.2"
"""The normal client's address: not the attacker's."""
ACCOMPLICES = [f"127.0.0.{last}" for last in range(3, 9)]
"""Addresses that attack together"""
PATH = "/v1/colorizations"
NORMAL = {"n": "1", "seed": "7"}
MEGA = 1_000_000

Attack = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """Cost of one attack."""

    attack: str
    extra_bytes: int
    """resident, of all the service's processes, beyond what they had before"""
    blocked_seconds: float
    """longest time in which the event loop answered no `GET /livez`"""
    computed_seconds: float
    """most that the event loop's thread computed during one of these; in the rest, others had the processor"""
    p50_seconds: float
    p99_seconds: float
    """time of a normal client beside the attack: a photo of 256×256, one coloring"""
    refused: str
    """number of its requests that were not answered 200, by code"""


async def quiet(url: str) -> None:
    """Attack nobody."""
    await asyncio.sleep(SECONDS)


async def json_bomb(url: str) -> None:
    """Send JSON of megabytes of empty hints, again and again."""
    body = b'{"image":"x","hints":[' + b"{}," * 1_000_000 + b"{}]}"
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        for _ in range(20):
            await client.post(PATH, content=body, headers={"Content-Type": "application/json"})


async def pipelining(url: str) -> None:
    """Ask for much on 30 connections and read nothing."""
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 2000
    await asyncio.gather(*(_unread(url, asked) for _ in range(30)))


async def unread_answers(url: str) -> None:
    """Ask for large answers on 16 connections and read nothing."""
    request = httpx.Request(
        "POST", url + PATH, files={"image": made_up_photo(1500, 1500)}, data={"n": "4", "output_format": "png"}
    )
    content = request.read()
    head = f"POST {PATH} HTTP/1.1\r\nHost: test\r\nContent-Type: {request.headers['content-type']}\r\n"
    await asyncio.gather(
        *(_unread(url, f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content) for _ in range(16))
    )


async def large_answers(url: str) -> None:
    """Ask twice at once for 16 colorings of 12.5 megapixels as PNG, and read them."""
    files, data = {"image": made_up_photo(4000, 3100)}, {"n": "16", "output_format": "png"}

    async def read() -> None:
        async with client.stream("POST", PATH, files=files, data=data) as answer:
            async for _ in answer.aiter_raw():
                pass

    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        await asyncio.gather(read(), read())


async def many_scans(url: str) -> None:
    """Send 12 JPEGs of 3,000 scans."""
    await _post_all(url, [{"files": {"image": _jpeg(1024, scans=3000)}, "data": NORMAL}] * 12)


async def hang_ups(url: str) -> None:
    """Send 12 JPEGs of as many scans as may be, which take seconds each, and hang up while they are decoded."""
    await _post_all(url, [{"files": {"image": _jpeg(4096, MAX_SCANS - 10)}, "data": NORMAL}] * 12, HANG_UP_SECONDS)


async def slow_files(url: str) -> None:
    """Send JPEGs of as many scans as may be, four each from six addresses, half of them of 49 megapixels."""
    files = [_jpeg(side, MAX_SCANS - 10) for side in (4096, 7000)] * 2
    requests = [{"files": {"image": file}, "data": NORMAL} for file in files]
    await asyncio.gather(*(_post_all(url, requests, address=address) for address in ACCOMPLICES))


async def many_candidates(url: str) -> None:
    """Choose among 64 candidates, four times, of a photo that does not decode and of one that does."""
    photo = made_up_photo(256, 256)
    files = [photo[: len(photo) // 2], photo, photo, photo]
    await _post_all(
        url, [{"files": {"image": file}, "data": {"candidates": "64", "select": "diverse"}} for file in files]
    )


async def many_hints(url: str) -> None:
    """Ask for colorings that follow 32 hints, from two clients at once."""
    hints = json.dumps([{"x": i / 32, "y": i / 32, "color": "#a03c28"} for i in range(32)])
    asked = {"files": {"image": made_up_photo(256, 256)}, "data": {"n": "16", "hints": hints}}
    await _post_all(url, [asked] * 2)


ATTACKS: dict[str, Attack] = {
    "nobody": quiet,
    "1 JSON bombs": json_bomb,
    "2 pipelining, unread": pipelining,
    "3 answers unread": unread_answers,
    "4 two large answers": large_answers,
    "5 JPEGs of many scans": many_scans,
    "5 slow JPEGs, hung up": hang_ups,
    "5 slow JPEGs, six addresses": slow_files,
    "5 many candidates": many_candidates,
    "10 many hints": many_hints,
}


def measure() -> Iterator[Row]:
    """Run every attack against one service, one after the other; yield each row as soon as it is measured."""
    with running() as service:
        for name, attack in ATTACKS.items():
            yield asyncio.run(_measure(service, name, attack))


def measure_ends() -> Iterator[tuple[str, float]]:
    """End services that are busy; yield how each was ended, and the seconds until all of its processes were gone."""
    with running() as service:
        yield "SIGTERM, 30 connections that pipeline and read nothing", asyncio.run(_end(service, SIGTERM, pipelining))
    with running() as service:
        yield "SIGKILL, all decoders at work", asyncio.run(_end(service, SIGKILL, hang_ups))


async def _end(service: Service, how: Signals, attack: Attack) -> float:
    attacking = asyncio.create_task(_bounded(attack(service.url)))
    await asyncio.sleep(1)
    processes, started = service.processes, time.perf_counter()
    service.process.send_signal(how)
    await asyncio.to_thread(psutil.wait_procs, processes, MOST_SECONDS)
    seconds = time.perf_counter() - started
    await attacking
    return seconds


async def _measure(service: Service, name: str, attack: Attack) -> Row:
    photo, normal, probes = made_up_photo(256, 256), list[float](), list[tuple[float, float]]()
    before, most, refused = _memory(service), 0, Counter[str]()
    transport = httpx.AsyncHTTPTransport(local_address=NEIGHBOR)  # or it would share the attacker's share
    async with httpx.AsyncClient(base_url=service.url, timeout=120, transport=transport) as client:
        await client.post(PATH, files={"image": photo}, data=NORMAL)
        attacking = asyncio.create_task(_bounded(attack(service.url)))

        async def ask() -> None:
            while not attacking.done() or len(normal) < 3:
                started = time.perf_counter()
                answer = await client.post(PATH, files={"image": photo}, data=NORMAL)
                normal.append(time.perf_counter() - started)
                if answer.status_code != 200:
                    refused[answer.json()["code"] + ": " + answer.json()["detail"]] += 1
                    await asyncio.sleep(REFUSED_SECONDS)

        async def probe() -> None:
            nonlocal most
            while not attacking.done():
                started, computed = time.perf_counter(), _computed(service)
                await client.get("/livez")
                probes.append((time.perf_counter() - started, _computed(service) - computed))
                most = max(most, _memory(service))
                await asyncio.sleep(PROBE_SECONDS)

        await asyncio.gather(attacking, ask(), probe())
    cuts = statistics.quantiles(normal, n=100, method="inclusive")
    blocked, computing = (max(each) for each in zip(*probes, strict=True))
    return Row(name, max(most - before, 0), blocked, computing, cuts[49], cuts[98], _counted(refused))


def _counted(refused: Counter[str]) -> str:
    return ", ".join(f"{number} × {code}" for code, number in refused.items()) or "0"


async def _bounded(attack: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(MOST_SECONDS):
            await attack
    except (TimeoutError, httpx.HTTPError, OSError):
        pass  # it was cut off, as it should be


def _jpeg(side: int, scans: int) -> bytes:
    """Return a JPEG that repeats its last scan."""
    buffer = BytesIO()
    Image.fromarray(np.zeros((side, side), np.uint8)).save(buffer, "JPEG", progressive=True)
    jpeg = buffer.getvalue()
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + scan * scans + jpeg[-2:]


async def _post_all(
    url: str, requests: list[dict[str, Any]], seconds: float = 2 * SECONDS, address: str | None = None
) -> None:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(base_url=url, timeout=seconds, transport=transport) as client:
        posts = (client.post(PATH, **request) for request in requests)
        await asyncio.gather(*posts, return_exceptions=True)


async def _unread(url: str, sent: bytes) -> None:
    """Send, read nothing for a while, and leave."""
    address = urlsplit(url)
    _, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(sent)
    await asyncio.sleep(SECONDS)
    writer.transport.abort()


def _computed(service: Service) -> float:
    """Return how long the event loop's thread, the main one, has computed."""
    main = next(each for each in service.process.threads() if each.id == service.process.pid)
    return float(main.user_time + main.system_time)


def _memory(service: Service) -> int:
    total = 0
    for process in service.processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total

"""Search for leaks in thousands of requests: `python -m benchmarks.load.soak [--requests 10000] [--json -]`.

First all decoders are started, since each then stays until the end. Most photos are small, a few large; some
files are broken, and some clients disconnect early. Most colorings have the default temperature, some temperature 1.
After every thousand requests and at the end, the service comes to rest, and its memory, open files, threads and
processes are counted. Growth from the first count to the last is a leak.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import httpx
import pillow_heif
import psutil
import typer

from benchmarks.load.serving import upload_slowly
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, Service, made_up_photo, running

FIRST = 1000
"""number of requests before the first look and between looks; by then the service has met every kind of request"""
MINUTES = 60
"""time limit, after which no more requests are sent"""
CLIENTS = 6
DECODERS = 4
ROUNDS = 5
"""Attempts to start all decoders"""
NEIGHBOR = "127.0.0.2"
GROWTH = 0.05
"""Largest allowed growth of the processes' own memory from the first look to the last"""
MORE = 4
"""allowed growth of open files, threads or processes, which vary a little; a leak in 1 % of requests adds 90"""
REST_SECONDS = 3.0
TIMEOUT_SECONDS = 900.0
PATIENCE_SECONDS = 0.3
"""time within which a client that disconnects does so"""
PIECES = 4
"""Pieces of an upload whose client disconnects"""
BAD_SHARE, GONE_SHARE, SCORED_SHARE = 0.04, 0.03, 0.1
OWN_SHARE = 0.1
"""Share of the colorings at temperature 1"""
TRANSFERRED_SHARE = 0.05
OUTPUTS = ("jpeg", "png", "webp")


@dataclass(frozen=True)
class Kind:
    """A class of photos of similar size, and its share of all photos."""

    share: float
    sizes: tuple[tuple[int, int], ...]
    formats: tuple[str, ...]
    most_samples: int


KINDS = (
    Kind(0.85, ((64, 48), (128, 96), (200, 200), (256, 171)), ("JPEG", "PNG", "WEBP", "GIF", "TIFF"), 1),
    Kind(0.13, ((512, 384), (640, 480), (400, 700)), ("JPEG", "AVIF", "HEIF", "WEBP"), 4),
    Kind(0.02, ((1600, 1200), (2400, 1800)), ("JPEG", "PNG"), 1),
)


@dataclass(frozen=True)
class Look:
    """Resources of the service's processes at rest."""

    requests: int
    own_bytes: int
    """memory of all processes, without pages of files"""
    service_bytes: int
    """the same of the service's main process alone"""
    files: int
    """open files of all processes"""
    threads: int
    processes: int


class Soak:
    """A client process, and its requests to a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._draws = random.Random(0)  # noqa: S311 - it chooses the next request
        self._photos = [
            [made_up_photo(*size, file_format=name) for size in kind.sizes for name in kind.formats] for kind in KINDS
        ]
        self._broken = _broken(self._photos[1][0])
        self.answers: Counter[str] = Counter()
        self.surprises: Counter[str] = Counter()
        self.looks: list[Look] = []
        self.sent = 0

    async def run(self, requests: int) -> None:
        """Send requests, a few at a time; look at the service after every FIRST of them, and at the end."""
        await self._busy_all_decoders()
        until = time.monotonic() + 60 * MINUTES
        while self.sent < requests and time.monotonic() < until:
            coming = iter(range(min(FIRST, requests - self.sent)))
            async with self._client() as client:
                await asyncio.gather(*(self._ask_one_by_one(client, coming, until) for _ in range(CLIENTS)))
            self.looks.append(await self._look(self.sent))
            print(f"{time.strftime('%X')} {self.looks[-1]} {dict(self.answers)}", file=sys.stderr, flush=True)

    async def _busy_all_decoders(self) -> None:
        """Send large photos from two addresses at once, since one address may hold only half of the decoders."""
        photo = made_up_photo(2400, 1800)
        async with self._client() as one, self._client(NEIGHBOR) as other:
            for _ in range(ROUNDS):
                both = [one, other] * DECODERS
                await asyncio.gather(*(client.post("/v1/likelihoods", files={"image": photo}) for client in both))
                if len(self._service.processes) > DECODERS:
                    return
        raise RuntimeError("the service did not start all of its decoders")

    def _client(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(local_address=address)
        return httpx.AsyncClient(base_url=self._service.url, timeout=TIMEOUT_SECONDS, transport=transport)

    async def _ask_one_by_one(self, client: httpx.AsyncClient, coming: Iterator[int], until: float) -> None:
        for _ in coming:
            if time.monotonic() >= until:
                return
            self.sent += 1
            shares = {self._send_broken: BAD_SHARE, self._go_away: GONE_SHARE, self._score: SCORED_SHARE}
            ways = shares | {self._colorize: 1 - sum(shares.values())}
            (act,) = self._draws.choices(list(ways), list(ways.values()))
            await act(client)

    async def _score(self, client: httpx.AsyncClient) -> None:
        await self._ask(client, "/v1/likelihoods", {"image": self._draws.choice(self._photos[0])}, {})

    async def _colorize(self, client: httpx.AsyncClient) -> None:
        shares = [kind.share for kind in KINDS]
        ((kind, photos),) = self._draws.choices(list(zip(KINDS, self._photos, strict=True)), shares)
        fields = {
            "n": str(self._draws.randint(1, kind.most_samples)),
            "seed": str(self._draws.randrange(2**32)),
            "output_format": self._draws.choice(OUTPUTS),
            "response_format": self._draws.choice(("b64_json", "zip")),
        }
        if self._draws.random() < OWN_SHARE:
            fields["temperature"] = "1"
        files = {"image": self._draws.choice(photos)}
        if self._draws.random() < TRANSFERRED_SHARE:
            await self._ask(client, "/v1/transfers", files | {"reference": self._draws.choice(self._photos[0])}, fields)
        else:
            await self._ask(client, PATH, files, fields)

    async def _ask(self, client: httpx.AsyncClient, path: str, files: dict[str, bytes], fields: dict[str, str]) -> None:
        answer = await client.post(path, files=files, data=fields)
        self._count(str(answer.status_code), answer.status_code == 200)
        await asyncio.sleep(int(answer.headers.get("Retry-After", 0)))

    async def _send_broken(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(PATH, files={"image": self._draws.choice(self._broken)})
        self._count(str(answer.status_code), 400 <= answer.status_code < 500)

    async def _go_away(self, client: httpx.AsyncClient) -> None:
        """Disconnect while the photo is sent, or while its colorings are made."""
        photo = self._draws.choice(self._photos[1])
        pause = PATIENCE_SECONDS / 2 / PIECES  # sending takes about half of PATIENCE_SECONDS
        try:
            async with asyncio.timeout(self._draws.uniform(0, PATIENCE_SECONDS)):
                answer = await upload_slowly(client, photo, len(photo) // PIECES + 1, pause)
        except TimeoutError:
            self._count("gone", True)
        else:
            self._count(str(answer.status_code), answer.status_code == 200)

    def _count(self, answer: str, expected: bool) -> None:
        self.answers[answer] += 1
        if not expected:
            self.surprises[answer] += 1

    async def _look(self, requests: int) -> Look:
        """Wait until the service has no requests left, then REST_SECONDS more; return its resources."""
        async with self._client() as client:
            while "tintflow_accepted_requests 0.0" not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.1)
        await asyncio.sleep(REST_SECONDS)
        every = self._service.processes
        return Look(
            requests,
            sum(map(_own, every)),
            _own(every[0]),
            sum(each.num_fds() for each in every),
            sum(each.num_threads() for each in every),
            len(every),
        )


def _broken(photo: bytes) -> list[bytes]:
    """Return files that the service must refuse."""
    size = (20_000).to_bytes(4, "big")
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + size + size + b"\x08\0\0\0\0" + bytes(16)
    return [b"", b"hello", photo[:40], photo[: len(photo) // 2], huge, bytes(100_000), b"GIF89a" + bytes(40)]


def _own(process: psutil.Process) -> int:
    """Return the resident bytes without pages of files, which the system may drop and reload at any time."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def main(requests: int = 10_000, json_file: JsonFile = None) -> None:
    """Measure, and print tables."""
    pillow_heif.register_heif_opener()
    started = time.monotonic()
    environment = {
        "TINTFLOW_DEADLINE_SECONDS": str(TIMEOUT_SECONDS),  # speed is not measured here
        "TINTFLOW_CODEC_THREADS": str(DECODERS),
    }
    with running(environment) as service:
        soak = Soak(service)
        asyncio.run(soak.run(requests))
    first, last = soak.looks[0], soak.looks[-1]
    since = f"after {last.requests} against {first.requests}"
    targets = [
        Target(f"{requests} requests within {MINUTES} minutes", f"{soak.sent}", soak.sent == requests),
        Target("answered as they should be", f"{dict(soak.answers)}", not soak.surprises),
    ]
    for what, name in ((f"own memory {since}", "own_bytes"), ("of it, the process that serves", "service_bytes")):
        before, after = getattr(first, name), getattr(last, name)
        grown = after / before - 1
        measured = f"{before / 1e6:.0f} → {after / 1e6:.0f} MB: {grown:+.1%}"
        targets.append(Target(f"{what}, no more than {GROWTH:+.0%}", measured, grown <= GROWTH))
    for name in ("files", "threads", "processes"):
        before, after = getattr(first, name), getattr(last, name)
        promise = f"{name} {since}, no more than {MORE} more"
        targets.append(Target(promise, f"{before} → {after}", after <= before + MORE))
    figures = {
        "requests": soak.sent,
        "seconds": time.monotonic() - started,
        "answers": dict(soak.answers),
        "surprises": dict(soak.surprises),
        "looks": [asdict(look) for look in soak.looks],
    }
    write("soak", targets, figures, json_file)


if __name__ == "__main__":
    typer.run(main)

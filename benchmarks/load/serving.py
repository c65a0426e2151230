"""Requests per second of tintflow and other servers: `python -m benchmarks.load.serving`; takes ten minutes.

All serve the same model, and answer the same multipart request (a 512×512 JPEG, n=4) with similar content. Clients are
closed-loop: each sends its next request as soon as it has its answer. The other servers come from PyPI, each in an
environment of its own, with their own batching switched on; their settings are in `benchmarks/peers`. They run our
runtime, or plain torch as their users would write it; the latter only with JUDGED_CLIENTS. Clients share the cores.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import httpx
import numpy as np
import typer

from benchmarks.environment import environment
from benchmarks.peers.work import PLAIN_TORCH
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, end_with_parent, free_port, made_up_photo, running

__all__ = ["OURS", "REQUEST", "SAMPLES", "SIDE", "ask_in_loops", "measure_server", "tintflow", "upload_slowly"]

SIDE, SAMPLES = 512, 4
REQUEST = f"{SIDE}×{SIDE} JPEG, n={SAMPLES}"
CLIENTS = (1, 4, 16, 64)
SECONDS, WARM_UP_SECONDS = 30.0, 5.0
START_SECONDS = 180.0
REQUEST_SECONDS = 120.0
STOP_SECONDS = 30.0
OURS = "tintflow"
JUDGED_CLIENTS = 16
AS_FAST, FASTER_THAN_TORCH = 1.0, 1.5
P99_TO_P50 = 3.0


@dataclass(frozen=True)
class Outcome:
    """Throughput and latency for closed-loop clients."""

    server: str
    clients: int
    per_second: float
    p50_seconds: float
    p99_seconds: float
    errors: int


@contextmanager
def peer(package: str, module: str, plain_torch: bool = False) -> Iterator[str]:
    """Start another server; yield its URL."""
    python, port = environment(module.removesuffix("_server"), package), free_port()
    process = subprocess.Popen(  # noqa: S603 - our own module
        [str(python), "-m", f"benchmarks.peers.{module}", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | ({PLAIN_TORCH: "1"} if plain_torch else {}),
        preexec_fn=end_with_parent,
    )
    try:
        yield f"http://127.0.0.1:{port}/colorize"
    finally:
        _end(process)


@contextmanager
def tintflow(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start tintflow; yield its URL."""
    with running(environment) as service:
        yield f"{service.url}{PATH}"


PEERS = {
    "LitServe": partial(peer, "litserve", "litserve_server"),
    "mosec": partial(peer, "mosec", "mosec_server"),
    "Ray Serve": partial(peer, "ray[serve]", "ray_server"),
}
TORCH = " in plain torch"
SERVERS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    OURS: tintflow,
    **PEERS,
    **{name + TORCH: partial(serve, plain_torch=True) for name, serve in PEERS.items()},
}


def measure(names: Sequence[str], clients: Sequence[int], seconds: float) -> Iterator[Outcome]:
    """Start one server after the other, and measure each with growing numbers of clients."""
    for name in names:
        with SERVERS[name]() as url:
            if not _answers(url):
                print(f"{name} does not answer: left out", file=sys.stderr)
                continue
            for count in clients if not name.endswith(TORCH) else [JUDGED_CLIENTS]:
                yield measure_server(name, url, count, seconds)


def measure_server(server: str, url: str, clients: int, seconds: float) -> Outcome:
    """Warm up a server, then measure it with closed-loop clients."""
    photo = made_up_photo(SIDE, SIDE)
    asyncio.run(ask_in_loops(url, photo, SAMPLES, clients, WARM_UP_SECONDS))
    started = time.perf_counter()
    answered, errors = asyncio.run(ask_in_loops(url, photo, SAMPLES, clients, seconds))
    elapsed = time.perf_counter() - started
    p50, p99 = (float(each) for each in np.percentile(answered or [np.inf], (50, 99)))
    outcome = Outcome(server, clients, len(answered) / elapsed, p50, p99, errors)
    print(outcome, file=sys.stderr, flush=True)  # shows progress: a run takes minutes
    return outcome


async def ask_in_loops(url: str, photo: bytes, samples: int, clients: int, seconds: float) -> tuple[list[float], int]:
    """Run closed-loop clients until the time is up. Returns the seconds of each answer, and the number of errors."""
    answered: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def loop(client: httpx.AsyncClient) -> None:
        nonlocal errors
        while (started := time.perf_counter()) < end:
            try:
                answer = await client.post(url, files={"image": photo}, data={"n": str(samples)})
                answer.raise_for_status()
            except httpx.HTTPError:
                errors += 1
                await asyncio.sleep(0.1)
            else:
                answered.append(time.perf_counter() - started)

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=clients)
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, limits=limits) as client:
        await asyncio.gather(*(loop(client) for _ in range(clients)))
    return answered, errors


async def upload_slowly(
    client: httpx.AsyncClient, photo: bytes, piece_bytes: int, pause_seconds: float, **fields: str
) -> httpx.Response:
    """Request colorings of a photo that is sent in pieces."""
    whole = client.build_request("POST", PATH, files={"image": photo}, data=fields)
    body = whole.read()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece_bytes):
            yield body[start : start + piece_bytes]
            await asyncio.sleep(pause_seconds)

    return await client.post(PATH, content=pieces(), headers={"Content-Type": whole.headers["Content-Type"]})


def _answers(url: str) -> bool:
    """Repeat a request until it is answered or time is up. Raises RuntimeError for an incomplete answer."""
    photo, deadline = made_up_photo(SIDE, SIDE), time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            answer = httpx.post(url, files={"image": photo}, data={"n": str(SAMPLES)}, timeout=REQUEST_SECONDS)
            if answer.is_success:
                if len(answer.json()["data"]) != SAMPLES:
                    raise RuntimeError(f"{url} does not answer with {SAMPLES} samples")
                return True
        time.sleep(0.2)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all processes that it started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _targets(outcomes: Sequence[Outcome]) -> Iterator[Target]:
    rates = {each.server: each.per_second for each in outcomes if each.clients == JUDGED_CLIENTS}
    for other in PEERS:
        for name, least in ((other, AS_FAST), (other + TORCH, FASTER_THAN_TORCH)):
            if OURS in rates and name in rates:
                ratio = rates[OURS] / rates[name]
                yield Target(f"{least:g} times {name}, {JUDGED_CLIENTS} clients", f"{ratio:.2f} times", ratio >= least)
    ours = [each for each in outcomes if each.server == OURS]
    if ours:
        worst = max(ours, key=lambda each: each.p99_seconds / each.p50_seconds)
        ratio = worst.p99_seconds / worst.p50_seconds
        measured = f"{ratio:.2f} times, at {worst.clients} clients"
        yield Target(f"p99 at most {P99_TO_P50:g} times p50", measured, ratio <= P99_TO_P50)
        errors = sum(each.errors for each in ours)
        yield Target("no error", str(errors), errors == 0)


def main(
    seconds: Annotated[float, typer.Option(help="Seconds for each server and number of clients.")] = SECONDS,
    clients: Annotated[list[int], typer.Option(help="Number of clients; may be repeated.")] = list(CLIENTS),  # noqa: B006 - typer copies it
    servers: Annotated[list[str], typer.Option(help=f"Any of {', '.join(SERVERS)}; may be repeated.")] = list(SERVERS),  # noqa: B006
    device: Annotated[str | None, typer.Option(help="Device of every server's model: cpu, cuda, auto.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    if device:
        os.environ["TINTFLOW_DEVICE"] = device
    outcomes = list(measure(servers, clients, seconds))
    figures = {"request": REQUEST, "seconds": seconds, "outcomes": [asdict(each) for each in outcomes]}
    write("serving", list(_targets(outcomes)), figures, json_file)


if __name__ == "__main__":
    typer.run(main)

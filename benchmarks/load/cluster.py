"""Requests a second of one process and of Ray Serve: `python -m benchmarks.load.cluster`; takes minutes.

Every process has one thread for the network. `serve.batch` stands beside our batcher, to see which is worth keeping.
"""

import argparse
import asyncio
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, cast

import httpx
import ray
from ray import serve
from rich.console import Console
from rich.table import Table

from benchmarks.report import add_json_option, write
from benchmarks.running import made_up_photo, running
from model.protocol import Drawn, DrawTask, ModelInfo
from service.cluster.serve import Ingress, Model
from service.loading import load_and_warm_up, load_colorizer
from service.settings import Settings

__all__ = ["main"]

SIDE, SAMPLES, CLIENTS = 512, 4, 8
WARM_UP_SECONDS = 5.0
READY_SECONDS = 300.0
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TINTFLOW_DEVICE": "cpu",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as any other process: Ray's own is 15
}


@dataclass(frozen=True)
class Result:
    """What one way of serving did."""

    name: str
    requests_per_second: float
    median_seconds: float
    statuses: dict[int, int]


class ServeBatch:
    """The model as `service.cluster.serve.Model` has it, batched by Ray."""

    def __init__(self) -> None:
        self._colorizer, _ = load_and_warm_up(load_colorizer, Settings())

    async def info(self) -> ModelInfo:
        """Say what is loaded."""
        return self._colorizer.info

    @serve.batch(
        max_batch_size=Settings.model_fields["batch_latents"].default,
        batch_wait_timeout_s=Settings.model_fields["batch_wait_seconds"].default,
        batch_size_fn=lambda items: sum(latents for _, latents in items),
    )
    async def _draw(self, items: list[tuple[DrawTask, int]]) -> list[Drawn]:
        return await asyncio.to_thread(self._colorizer.draw_all, [task for task, _ in items])

    async def draw(self, task: DrawTask, latents: int) -> Drawn:
        """Draw one task's samples, in a batch with others."""
        return await cast(Any, self._draw)((task, latents))


@contextmanager
def one_process() -> Iterator[str]:
    """Serve in one process; yield its URL."""
    with running(ENVIRONMENT) as service:
        yield service.url


@contextmanager
def on_ray(replicas: int, model: Any) -> Iterator[str]:
    """Serve on a Ray cluster of this machine alone; yield the URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fixed = {"autoscaling_config": None, "ray_actor_options": {"num_cpus": 1}}
    ray.init(num_cpus=replicas + 1, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        ingress = cast(Any, Ingress).options(num_replicas=1, **fixed)
        serve.run(ingress.bind(model.options(name="Model", num_replicas=replicas, **fixed).bind()), name="tintflow")
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + READY_SECONDS
        while httpx.get(f"{url}/readyz", timeout=30).status_code != 200:
            if time.monotonic() > end:
                raise RuntimeError("the cluster did not become ready")
            time.sleep(0.2)
        yield url
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call] # of Ray
        ray.shutdown()


async def ask(url: str, seconds: float) -> tuple[float, list[float], dict[int, int]]:
    """Let clients ask in a closed loop; return the answers a second, the time of each, and all statuses."""
    photo, times, statuses = made_up_photo(SIDE, SIDE), list[float](), dict[int, int]()

    async def loop(client: httpx.AsyncClient, end: float) -> None:
        while (begun := time.perf_counter()) < end:
            answer = await client.post("/v1/colorizations", files={"image": photo}, data={"n": str(SAMPLES)})
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            if answer.status_code == httpx.codes.OK:
                times.append(time.perf_counter() - begun)

    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        await asyncio.gather(*(loop(client, time.perf_counter() + WARM_UP_SECONDS) for _ in range(CLIENTS)))
        times.clear()
        statuses.clear()
        started = time.perf_counter()
        await asyncio.gather(*(loop(client, started + seconds) for _ in range(CLIENTS)))
        return len(times) / (time.perf_counter() - started), times, statuses


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table; with `--json`, write the figures too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.cluster", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="of each way, after a warm-up")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    os.environ.update(ENVIRONMENT)
    batched_by_ray = serve.deployment(ServeBatch, max_ongoing_requests=32)
    ways: dict[str, Callable[[], Any]] = {
        "one process": one_process,
        "Ray, 1 replica": partial(on_ray, 1, Model),
        "Ray, 2 replicas": partial(on_ray, 2, Model),
        "Ray, 1 replica, serve.batch": partial(on_ray, 1, batched_by_ray),
        "Ray, 2 replicas, serve.batch": partial(on_ray, 2, batched_by_ray),
    }
    results = []
    table = Table("way", "requests/s", "median s", title=f"{CLIENTS} clients, {SIDE}×{SIDE} JPEG, n={SAMPLES}")
    for name, way in ways.items():
        with way() as url:
            rate, times, statuses = asyncio.run(ask(url, options.seconds))
        results.append(Result(name, rate, statistics.median(times), statuses))
        print(results[-1], file=sys.stderr, flush=True)
        table.add_row(name, f"{rate:.2f}", f"{results[-1].median_seconds:.2f}")
    Console(stderr=options.json == "-").print(table)
    write("cluster", [], {"results": [asdict(each) for each in results]}, options.json)


if __name__ == "__main__":
    main()

"""Requests a second of one process and of Ray Serve: `python -m benchmarks.load.cluster`; takes minutes.

Every process has one thread for the network. `serve.batch` stands beside our batcher, to see which is worth keeping.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, cast

import httpx
import ray
import typer
from ray import serve

from benchmarks.load.serving import SAMPLES, SIDE, Outcome, measure_server
from benchmarks.report import JsonFile, rows, write
from benchmarks.running import PATH, free_port, running
from model.protocol import Drawn, DrawTask, ModelInfo
from service.cluster.serve import Ingress, Model
from service.loading import load_and_warm_up, load_colorizer
from service.settings import Settings

__all__ = ["main"]

CLIENTS = 8
READY_SECONDS = 300.0
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TINTFLOW_DEVICE": "cpu",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as any other process: Ray's own is 15
}


class ServeBatch:
    """The model as `service.cluster.serve.Model` has it, batched by Ray."""

    def __init__(self) -> None:
        self._colorizer = load_and_warm_up(load_colorizer, Settings())

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
    """Serve in one process; yield the URL to ask."""
    with running(ENVIRONMENT) as service:
        yield f"{service.url}{PATH}"


@contextmanager
def on_ray(replicas: int, model: Any) -> Iterator[str]:
    """Serve on a Ray cluster of this machine alone; yield the URL to ask."""
    port = free_port()
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
        yield f"{url}{PATH}"
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call] # of Ray
        ray.shutdown()


def main(
    seconds: Annotated[float, typer.Option(help="Seconds for each way of serving, after a warm-up.")] = 30.0,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print a table."""
    os.environ.update(ENVIRONMENT)
    batched_by_ray = serve.deployment(ServeBatch, max_ongoing_requests=32)
    ways: dict[str, Callable[[], Any]] = {
        "one process": one_process,
        "Ray, 1 replica": partial(on_ray, 1, Model),
        "Ray, 2 replicas": partial(on_ray, 2, Model),
        "Ray, 1 replica, serve.batch": partial(on_ray, 1, batched_by_ray),
        "Ray, 2 replicas, serve.batch": partial(on_ray, 2, batched_by_ray),
    }
    outcomes: list[Outcome] = []
    for name, way in ways.items():
        with way() as url:
            outcomes.append(measure_server(name, url, CLIENTS, seconds))
    cells = [(each.server, each.per_second, each.p50_seconds, each.errors) for each in outcomes]
    title = f"{CLIENTS} clients, {SIDE}×{SIDE} JPEG, n={SAMPLES}"
    table = rows("way", "requests/s", "median s", "errors", title=title, cells=cells)
    write("cluster", [], {"results": [asdict(each) for each in outcomes]}, json_file, [table])


if __name__ == "__main__":
    typer.run(main)

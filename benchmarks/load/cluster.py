"""Requests per second of one process and of Ray Serve: `python -m benchmarks.load.cluster`; takes minutes.

Every process has one thread for the network. Ray's `serve.batch` is compared with our batcher.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, cast

import ray
import typer
from ray import serve

from benchmarks.load.serving import REQUEST, measure_server, tintflow
from benchmarks.report import JsonFile, write
from benchmarks.running import PATH, free_port, wait_until_ready
from model.protocol import Drawn, DrawTask
from service.cluster.serve import Ingress, Model
from service.settings import Settings

CLIENTS = 8
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TINTFLOW_DEVICE": "cpu",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as for any other process; Ray's default is 15
}


class ServeBatch(cast(Any, Model).func_or_class):  # type: ignore[misc] # Ray's decorator hides the class
    """The service's model, batched by Ray."""

    @serve.batch(
        max_batch_size=Settings.model_fields["batch_latents"].default,
        batch_wait_timeout_s=Settings.model_fields["batch_wait_seconds"].default,
        batch_size_fn=lambda items: sum(latents for _, latents in items),
    )
    async def _draw(self, items: list[tuple[DrawTask, int]]) -> list[Drawn]:
        return await asyncio.to_thread(self._colorizer.draw_all, [task for task, _ in items])

    async def draw(self, task: DrawTask, latents: int, owner: str) -> Drawn:
        return await cast(Any, self._draw)((task, latents))


@contextmanager
def on_ray(replicas: int, model: Any) -> Iterator[str]:
    """Serve on a Ray cluster of this machine alone; yield the service's URL."""
    port = free_port()
    fixed = {"autoscaling_config": None, "ray_actor_options": {"num_cpus": 1}}
    ray.init("local", num_cpus=replicas + 1, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        ingress = cast(Any, Ingress).options(num_replicas=1, **fixed)
        serve.run(ingress.bind(model.options(name="Model", num_replicas=replicas, **fixed).bind()), name="tintflow")
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url)
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
        "one process": partial(tintflow, ENVIRONMENT),
        "Ray, 1 replica": partial(on_ray, 1, Model),
        "Ray, 2 replicas": partial(on_ray, 2, Model),
        "Ray, 1 replica, serve.batch": partial(on_ray, 1, batched_by_ray),
        "Ray, 2 replicas, serve.batch": partial(on_ray, 2, batched_by_ray),
    }
    outcomes = []
    for name, way in ways.items():
        with way() as url:
            outcomes.append(asdict(measure_server(name, url, CLIENTS, seconds)))
    write("cluster", [], {"request": REQUEST, "results": outcomes}, json_file)


if __name__ == "__main__":
    typer.run(main)

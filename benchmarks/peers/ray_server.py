"""The same model behind Ray Serve: `python -m benchmarks.peers.ray_server PORT`."""

import asyncio
import os
import signal
import sys
from typing import Annotated, Any

import ray
from fastapi import FastAPI, File, Form
from ray import serve

from benchmarks.peers.work import BATCH_REQUESTS, BATCH_WAIT_SECONDS, Job, Work
from model.protocol import Drawn

web = FastAPI()
MAX_REQUESTS = 256
"""accepted and unanswered"""


@serve.deployment(max_ongoing_requests=MAX_REQUESTS, ray_actor_options={"num_cpus": 1})
@serve.ingress(web)
class Colorizations:
    """Reads and writes in threads, and draws for a batch, in a replica of Ray Serve."""

    def __init__(self) -> None:
        self.work = Work()

    @serve.batch(max_batch_size=BATCH_REQUESTS, batch_wait_timeout_s=BATCH_WAIT_SECONDS)
    async def draw(self, jobs: list[Job]) -> list[Drawn]:
        return await asyncio.to_thread(self.work.draw, jobs)

    @web.post("/colorize")
    async def colorize(self, image: Annotated[bytes, File()], n: Annotated[int, Form()]) -> dict[str, Any]:
        job = await asyncio.to_thread(self.work.read, image, n)
        return await asyncio.to_thread(self.work.write, job, await self.draw(job))


if __name__ == "__main__":
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # Ray's default, 30, is too short on a busy machine
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    deployment: Any = Colorizations
    serve.run(deployment.bind())
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()  # type: ignore[no-untyped-call] # of Ray

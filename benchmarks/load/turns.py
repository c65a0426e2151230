"""`python -m benchmarks.load.turns`: a normal client's wait for the model beside other clients; takes three minutes.

Draws sleep for as long as they would compute on an idle core. So the figures show the effect of the queue's order
alone, whatever else the machine does.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import cast

import numpy as np
import typer

from benchmarks.report import show, table
from model.options import Hint, SampleOptions
from model.protocol import Colorizer, Drawn, DrawTask, SmallPhoto
from service.network import InProcess
from service.scheduling.batching import Batcher
from service.scheduling.parts import cost_of

SECONDS = 40.0
BATCH_LATENTS, BATCH_WAIT_SECONDS, BATCH_SECONDS = 16, 0.01, 0.5  # the service's defaults
REST_SECONDS = 0.05
"""Seconds of a request outside the model"""

TASK_SECONDS, PASS_SECONDS, SAMPLE_SECONDS, HINTS_SECONDS = 0.06, 0.04, 0.1, 0.15
"""Costs per task, per batch, per sample (at least FEWEST_SAMPLES a batch), and extra per task with hints. Processor
seconds on an AMD EPYC, from 0.31 for n = 1 to 1.64 for n = 16, and 0.47 for n = 1 with 32 hints."""
FEWEST_SAMPLES = 2

HINTS = tuple(Hint(i / 32, i / 32, (160, 60, 40)) for i in range(32))
CASES: dict[str, tuple[SampleOptions | None, int, int]] = {
    "nobody": (None, 0, 0),
    "n = 16 with hints, twice at once": (SampleOptions(16, 1, hints=HINTS), 2, 1),
    "n = 16, twice at once": (SampleOptions(16, 1), 2, 1),
    "64 candidates, four times at once": (SampleOptions(1, 1, candidates=64, select="diverse"), 4, 1),
    "n = 16, from six addresses": (SampleOptions(16, 1), 6, 6),
}
"""The other clients' repeated request, how many of it at once, and from how many addresses"""


class Sleeping:
    """A colorizer that sleeps instead of drawing."""

    at_once = 1

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        """Sleep for the time of the draws; return empty samples."""
        options = [cast(SampleOptions, task.options) for task in tasks]
        samples = max(sum(each.latents for each in options), FEWEST_SAMPLES)
        hinted = sum(bool(each.hints) for each in options)
        time.sleep(TASK_SECONDS * len(tasks) + PASS_SECONDS + SAMPLE_SECONDS * samples + HINTS_SECONDS * hinted)
        return [_drawn(each) for each in options]


async def measure(attack: SampleOptions | None, requests: int, addresses: int) -> list[float]:
    """Return the seconds of a normal client's requests, n = 1, sent one after another."""
    batcher = Batcher(BATCH_LATENTS, BATCH_WAIT_SECONDS, lambda _: None, BATCH_SECONDS)
    network = InProcess(batcher, cast(Colorizer, Sleeping()))
    lightness = np.zeros((2, 2), np.float32)
    photo, taken, end = SmallPhoto(lightness, lightness, None), list[float](), time.monotonic() + SECONDS

    async def ask(options: SampleOptions, owner: str) -> float:
        started = time.monotonic()
        await network.draw(DrawTask(photo, options), cost_of(options), owner)
        await asyncio.sleep(REST_SECONDS)
        return time.monotonic() - started

    async def repeat(options: SampleOptions, owner: str) -> None:
        while True:
            await ask(options, owner)

    normal = SampleOptions(1, 7)
    await ask(normal, "normal")
    others = [asyncio.create_task(repeat(attack, f"{i % addresses}")) for i in range(requests) if attack is not None]
    while time.monotonic() < end:
        taken.append(await ask(normal, "normal"))
    for other in others:
        other.cancel()
    batcher.close()
    return taken


def _drawn(options: SampleOptions) -> Drawn:
    number = options.n
    zeros, small = (0.0,) * number, np.zeros((number, 2, 8, 8), np.float32)
    times = {"condition": 0.0, "sample": 0.0}
    return Drawn(small, tuple(range(number)), zeros, zeros, 1.0, times, small, zeros, ((),) * number, options.hints)


def main() -> None:
    """Print a row for each case."""
    rows, quiet = [], math.nan
    for name, case in CASES.items():
        taken = asyncio.run(measure(*case))
        p50, p99 = np.percentile(taken, (50, 99)).tolist()
        quiet = p99 if name == "nobody" else quiet
        row = {"others": name, "normal requests": len(taken), "p50, s": p50, "p99, s": p99}
        rows.append(row | {"against nobody's p99": p99 / quiet})
    show([table("turns", rows)])


if __name__ == "__main__":
    typer.run(main)

"""Gain of batches, and fairness to small requests: `python -m benchmarks.load.batching [--json -]`.

Sixteen closed-loop clients send requests to services that differ in batch size, and in how long a batch waits for
further requests. Then one client asks for small pictures while another always has a 12-megapixel photo, n=16, in work.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import typer

from benchmarks.load.serving import OURS, REQUEST, SAMPLES, SIDE, ask_in_loops, measure_server, tintflow
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import made_up_photo
from service.settings import Settings

CLIENTS = 16
SECONDS, WARM_UP_SECONDS = 10.0, 3.0
LATENTS = (4, 8, 16, 32)
WAITS = (0.0, 0.01, 0.05)
ANY_SECONDS = {"TINTFLOW_BATCH_SECONDS": "60"}  # never limits a batch here
LARGE, LARGE_SAMPLES = (4000, 3000), 16
FAIR = 0.2
"""Largest allowed latency of a small request, as a share of that of a large one at the same time."""


def by_settings() -> Iterator[dict[str, Any]]:
    """Yield the outcome for each batch size at the default wait, then for each other wait at the default size."""
    default = Settings()
    choices = [(latents, default.batch_wait_seconds) for latents in LATENTS]
    choices += [(default.batch_latents, wait) for wait in WAITS if wait != default.batch_wait_seconds]
    for latents, wait in choices:
        settings = {"TINTFLOW_BATCH_LATENTS": str(latents), "TINTFLOW_BATCH_WAIT_SECONDS": str(wait)} | ANY_SECONDS
        with tintflow(settings) as url:
            outcome = measure_server(OURS, url, CLIENTS, SECONDS)
        yield {"batch_latents": latents, "batch_wait_seconds": wait, **asdict(outcome)}


async def beside(url: str) -> tuple[float, float, int]:
    """Send small and large requests at the same time; return the median seconds of each, and the number of errors."""
    small, large = made_up_photo(SIDE, SIDE), made_up_photo(*LARGE)
    (found, failed), (large_found, large_failed) = await asyncio.gather(
        ask_in_loops(url, small, SAMPLES, 1, 2 * SECONDS), ask_in_loops(url, large, LARGE_SAMPLES, 1, 2 * SECONDS)
    )
    return float(np.median(found)), float(np.median(large_found)), failed + large_failed


def main(json_file: JsonFile = None) -> None:
    """Measure, and print tables."""
    outcomes = list(by_settings())
    with tintflow() as url:
        asyncio.run(ask_in_loops(url, made_up_photo(SIDE, SIDE), SAMPLES, 1, WARM_UP_SECONDS))
        small, large, failed = asyncio.run(beside(url))
    fair = f"a small one takes at most {FAIR:g} of a large one's time"
    errors = failed + sum(each["errors"] for each in outcomes)
    targets = [
        Target(fair, f"{small / large:.3f}", small <= FAIR * large),
        Target("no error", str(errors), errors == 0),
    ]
    figures = {"request": REQUEST, "outcomes": outcomes, "seconds_of_small": small, "seconds_of_large": large}
    write("batching", targets, figures, json_file)


if __name__ == "__main__":
    typer.run(main)

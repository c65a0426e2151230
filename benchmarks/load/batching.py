"""Gain of batches, and fairness to small requests: `python -m benchmarks.load.batching [--json -]`.

Sixteen closed-loop clients ask with other sizes of batches, and other times that a batch waits for those on their way.
Then one client asks for small pictures, alone, and beside another that keeps a 12-megapixel photo with n=16 in work.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import numpy as np
import typer

from benchmarks.load.serving import OURS, SAMPLES, SIDE, Outcome, ask_in_loops, measure_server, tintflow
from benchmarks.report import JsonFile, Target, rows, write
from benchmarks.running import made_up_photo
from service.settings import Settings

__all__ = ["main"]

CLIENTS = 16
SECONDS, WARM_UP_SECONDS = 10.0, 3.0
LATENTS = (4, 8, 16, 32)
WAITS = (0.0, 0.01, 0.05)
ANY_SECONDS = {"TINTFLOW_BATCH_SECONDS": "60"}  # a batch is as large as it may be
LARGE, LARGE_SAMPLES = (4000, 3000), 16
FAIR = 0.2
"""Largest share of a large request's time that a small one beside it may take."""


def by_settings(seconds: float) -> Iterator[tuple[int, float, Outcome]]:
    """Ask a service with one size after the other at the default wait, then the other waits."""
    default = Settings()
    choices = [(latents, default.batch_wait_seconds) for latents in LATENTS]
    choices += [(default.batch_latents, wait) for wait in WAITS if wait != default.batch_wait_seconds]
    for latents, wait in choices:
        settings = {"TINTFLOW_BATCH_LATENTS": str(latents), "TINTFLOW_BATCH_WAIT_SECONDS": str(wait)} | ANY_SECONDS
        with tintflow(settings) as url:
            yield latents, wait, measure_server(OURS, url, CLIENTS, seconds)


async def beside(url: str, seconds: float) -> tuple[float, float, int]:
    """Return the median seconds of small requests, and of a large one, asked for at once; and the errors of both."""
    small, large = made_up_photo(SIDE, SIDE), made_up_photo(*LARGE)
    (found, failed), (large_found, large_failed) = await asyncio.gather(
        ask_in_loops(url, small, SAMPLES, 1, seconds), ask_in_loops(url, large, LARGE_SAMPLES, 1, seconds)
    )
    return float(np.median(found)), float(np.median(large_found)), failed + large_failed


def main(
    seconds: Annotated[float, typer.Option(help="Seconds for each choice of settings.")] = SECONDS,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    choices = list(by_settings(seconds))
    with tintflow() as url:
        asyncio.run(ask_in_loops(url, made_up_photo(SIDE, SIDE), SAMPLES, 1, WARM_UP_SECONDS))
        found, _ = asyncio.run(ask_in_loops(url, made_up_photo(SIDE, SIDE), SAMPLES, 1, seconds))
        alone = float(np.median(found))
        small, large, failed = asyncio.run(beside(url, 2 * seconds))
    tables = [
        rows(
            "latents of a batch", "wait, seconds", "requests/s", "p50, seconds", "p99, seconds", "errors",
            title=f"{CLIENTS} clients, {SIDE}×{SIDE} JPEG, n={SAMPLES}",
            cells=[(latents, wait, *list(asdict(found).values())[2:]) for latents, wait, found in choices],
        ),
        rows(
            "request", "median seconds", title="a small request beside a large one",
            cells=[(f"{SIDE}×{SIDE}, n={SAMPLES}, alone", alone), ("the same, beside", small),
                   (f"12 megapixels, n={LARGE_SAMPLES}", large)],
        ),
    ]  # fmt: skip
    fair = Target(
        f"a small one takes at most {FAIR:g} of a large one's time", f"{small / large:.3f}", small <= FAIR * large
    )
    errors = failed + sum(found.errors for _, _, found in choices)
    figures = {
        "outcomes": [
            {"batch_latents": latents, "batch_wait_seconds": wait, **asdict(found)} for latents, wait, found in choices
        ],
        "fairness_seconds": {"small alone": alone, "small beside large": small, "large": large},
    }
    write("batching", [fair, Target("no error", str(errors), errors == 0)], figures, json_file, tables)


if __name__ == "__main__":
    typer.run(main)

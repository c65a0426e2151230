"""What batches are worth, and whom large requests keep waiting: `python -m benchmarks.load.batching [--json -]`.

Sixteen closed-loop clients ask with other sizes of batches, and other times that a batch waits for those on their way.
Then one client asks for small pictures, alone, and beside another that keeps a 12-megapixel photo with n=16 in work.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.load.serving import SIDE, ask_in_loops, tintflow
from benchmarks.report import Target, add_json_option, rows, write
from benchmarks.running import made_up_photo
from service.settings import Settings

__all__ = ["main"]

CLIENTS, SAMPLES = 16, 4
SECONDS, WARM_UP_SECONDS = 10.0, 3.0
LATENTS = (4, 8, 16, 32)
WAITS = (0.0, 0.01, 0.05)
LARGE, LARGE_SAMPLES = (4000, 3000), 16
FAIR = 0.2
"""Of the large request's time is the most that a small one beside it may take."""


@dataclass(frozen=True)
class Outcome:
    """What clients got with one choice of settings."""

    batch_latents: int
    batch_wait_seconds: float
    per_second: float
    p50_seconds: float
    p99_seconds: float
    errors: int


def by_settings(seconds: float) -> Iterator[Outcome]:
    """Ask a service with one size after the other at the default wait, then the other waits."""
    default = Settings()
    choices = [(latents, default.batch_wait_seconds) for latents in LATENTS]
    choices += [(default.batch_latents, wait) for wait in WAITS if wait != default.batch_wait_seconds]
    photo = made_up_photo(SIDE, SIDE)
    for latents, wait in choices:
        settings = {"TINTFLOW_BATCH_LATENTS": str(latents), "TINTFLOW_BATCH_WAIT_SECONDS": str(wait)}
        with tintflow(settings) as url:
            asyncio.run(ask_in_loops(url, photo, SAMPLES, CLIENTS, WARM_UP_SECONDS))
            answered, failed = asyncio.run(ask_in_loops(url, photo, SAMPLES, CLIENTS, seconds))
        p50, p99 = (float(each) for each in np.percentile(answered, (50, 99)))
        yield Outcome(latents, wait, CLIENTS / float(np.mean(answered)), p50, p99, failed)


async def beside(url: str, seconds: float) -> tuple[float, float, int]:
    """Return the median seconds of small requests, and of a large one, asked for at once; and the errors of both."""
    small, large = made_up_photo(SIDE, SIDE), made_up_photo(*LARGE)
    (found, failed), (large_found, large_failed) = await asyncio.gather(
        ask_in_loops(url, small, SAMPLES, 1, seconds), ask_in_loops(url, large, LARGE_SAMPLES, 1, seconds)
    )
    return float(np.median(found)), float(np.median(large_found)), failed + large_failed


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables; with `--json`, write the figures too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.batching", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each choice of settings")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    outcomes = list(by_settings(options.seconds))
    with tintflow() as url:
        asyncio.run(ask_in_loops(url, made_up_photo(SIDE, SIDE), SAMPLES, 1, WARM_UP_SECONDS))
        found, _ = asyncio.run(ask_in_loops(url, made_up_photo(SIDE, SIDE), SAMPLES, 1, options.seconds))
        alone = float(np.median(found))
        small, large, failed = asyncio.run(beside(url, 2 * options.seconds))
    tables = [
        rows(
            "latents of a batch", "wait, seconds", "requests/s", "p50, seconds", "p99, seconds", "errors",
            title=f"{CLIENTS} clients, {SIDE}×{SIDE} JPEG, n={SAMPLES}",
            cells=[list(asdict(each).values()) for each in outcomes],
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
    errors = failed + sum(each.errors for each in outcomes)
    figures = {
        "outcomes": [asdict(each) for each in outcomes],
        "fairness_seconds": {"small alone": alone, "small beside large": small, "large": large},
    }
    write("batching", [fair, Target("no error", str(errors), errors == 0)], figures, options.json, tables)


if __name__ == "__main__":
    main()

"""How long the service takes to be ready, and its first requests: `python -m benchmarks.speed.start [--json -]`.

Each start is a new process with warm file caches; the first start fills them and is not counted.
"""

import statistics
import time

import httpx
import typer

from benchmarks.report import JsonFile, Target, write
from benchmarks.running import made_up_photo, running

__all__ = ["main"]

READY_SECONDS = 6.0
FIRST_TO_TENTH = 1.5
REQUESTS = 12
SETTLED = 7
"""From here on a request counts as the tenth: one alone may be late for reasons of its own."""
SIDE = 512
SAMPLES = 4


def main(starts: int = 3, json_file: JsonFile = None) -> None:
    """Measure, and print tables."""
    photo = made_up_photo(SIDE, SIDE)
    seconds, requests = [], []
    for _ in range(starts + 1):
        with running() as service, httpx.Client(base_url=service.url, timeout=60) as client:
            seconds.append(service.start_seconds)
            requests.append([_ask(client, photo) for _ in range(REQUESTS)])
    seconds, requests = seconds[1:], requests[1:]
    ready, first = statistics.median(seconds), statistics.median(each[0] for each in requests)
    tenths = [statistics.median(each[SETTLED:]) for each in requests]
    tenth = statistics.median(tenths)
    ratio = statistics.median(each[0] / settled for each, settled in zip(requests, tenths, strict=True))
    targets = [
        Target(f"ready in {READY_SECONDS:g} s", f"{ready:.2f} s", ready <= READY_SECONDS),
        Target(
            f"first request at most {FIRST_TO_TENTH:g} times the tenth",
            f"{first:.3f} s, tenth {tenth:.3f} s: {ratio:.2f}",
            ratio <= FIRST_TO_TENTH,
        ),
    ]
    figures = {"ready_seconds": seconds, "request_seconds": requests, "photo": f"{SIDE}×{SIDE}, n={SAMPLES}"}
    write("start, medians", targets, figures, json_file)


def _ask(client: httpx.Client, photo: bytes) -> float:
    started = time.perf_counter()
    client.post("/v1/colorizations", files={"image": photo}, data={"n": str(SAMPLES)}).raise_for_status()
    return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)

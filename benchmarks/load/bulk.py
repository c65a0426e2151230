"""`tintflow bulk` on growing numbers of small photos: `python -m benchmarks.load.bulk [--json -]`; takes long.

Reports wall-clock and processor time, since other work on the machine lengthens the former. Memory is that of all
processes, including Ray's, with shared memory counted once: after a tenth of the photos, and at its peak.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import psutil
import typer

from benchmarks.report import JsonFile, Target, write
from benchmarks.running import COMMAND, end_with_parent, made_up_photo

SIDE = 64
PHOTOS = (100, 1000, 5000)
MORE_PER_PHOTO = 1.15
"""Largest allowed processor time per further photo in the largest run, as a multiple of that in the run before."""
MORE_MEMORY = 1.1
"""Largest allowed peak of memory, as a multiple of the memory after a tenth of the photos."""
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Run:
    """Cost of one job."""

    photos: int
    seconds: float
    processor_seconds: float
    early_bytes: int
    """memory after a tenth of the photos"""
    most_bytes: int


def measure(photos: int, folder: Path) -> Run:
    """Make photos, colorize them with `tintflow bulk`, and return the cost."""
    source, out = folder / f"in-{photos}", folder / f"out-{photos}"
    source.mkdir()
    picture = made_up_photo(SIDE, SIDE)
    for i in range(photos):
        (source / f"{i:05}.jpg").write_bytes(picture)
    command = [sys.executable, "-c", COMMAND, "bulk", str(source), str(out), "--seed", "7"]
    started, processors, memory = time.monotonic(), dict[int, float](), list[tuple[int, int]]()
    niceness = {"RAY_worker_niceness": "0"}  # as for any other process; Ray's default is 15
    with subprocess.Popen(  # noqa: S603 - this Python, this package
        command, env=os.environ | niceness, preexec_fn=end_with_parent
    ) as process:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            done = len(list(out.glob("*.jpg")))
            memory.append((done, _look(process.pid, processors)))
    if process.returncode:
        raise RuntimeError(f"bulk ended with status {process.returncode}")
    early = next((held for done, held in memory if done >= photos // 10), memory[-1][1])
    most = max(held for _, held in memory)
    return Run(photos, time.monotonic() - started, sum(processors.values()), early, most)


def _look(pid: int, processors: dict[int, float]) -> int:
    """Record the processor seconds of a process and its descendants; return their memory in bytes."""
    held = 0
    with suppress(psutil.Error):  # the process has ended meanwhile
        first = psutil.Process(pid)
        for each in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):
                spent = each.cpu_times()
                processors[each.pid] = spent.user + spent.system
                held += each.memory_full_info().pss
    return held


def main(json_file: JsonFile = None) -> None:
    """Measure, and print tables."""
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for number in PHOTOS:
            runs.append(measure(number, Path(folder)))
            print(runs[-1], file=sys.stderr, flush=True)
    # differences exclude the time to start
    per_photo = []
    for a, b in pairwise(runs):
        seconds = (b.processor_seconds - a.processor_seconds) / (b.photos - a.photos)
        per_photo.append({"from": a.photos, "to": b.photos, "seconds": seconds})
    growth = per_photo[1]["seconds"] / per_photo[0]["seconds"]
    memory = max(run.most_bytes / run.early_bytes for run in runs[1:])
    targets = [
        Target(
            f"another photo takes at most {MORE_PER_PHOTO:g} times as long", f"{growth:.2f}", growth <= MORE_PER_PHOTO
        ),
        Target(f"memory grows to at most {MORE_MEMORY:g} times", f"{memory:.2f}", memory <= MORE_MEMORY),
    ]
    figures = {
        "photo": f"{SIDE}×{SIDE} JPEG, n=1, one actor",
        "runs": [asdict(run) for run in runs],
        "processor_seconds_of_another_photo": per_photo,
    }
    write("work in bulk", targets, figures, json_file)


if __name__ == "__main__":
    typer.run(main)

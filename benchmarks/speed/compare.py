"""A checkout beside an earlier one, in one run: `python -m benchmarks.speed.compare --before COMMIT [--json -]`.

Without a commit, this checkout is measured alone: its start, the command, the first request and later ones. A commit
is checked out into a git worktree below build/, with its own weights, and uses the same packages. Both are asked
through the command line and HTTP alone, in turns. CPU seconds are those of all processes, user and system: on a busy
machine they are steadier than the clock.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
import typer

from benchmarks.load.serving import OURS, SAMPLES, SIDE, measure_server
from benchmarks.report import JsonFile, Target, write
from benchmarks.report import rows as as_table
from benchmarks.running import COMMAND, PATH, Service, made_up_photo, running

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "before"
CLIENTS = 16
NUMBERS = (1, 4, 16)
READY_SECONDS, COMMAND_SECONDS = 3.0, 4.0
N16_TO_N4 = 2.5
FIRST_TO_TENTH = 1.5
REQUESTS, SETTLED = 12, 7
"""Requests after a start, and from where on one counts as the tenth: one alone may be late for reasons of its own."""
MORE_REQUESTS = 1.25
FLOOR = "import cv2, fastapi, numba, openvino, torch, typer, uvicorn"
"""The packages that a start cannot do without."""


@dataclass
class Figures:
    """Measurements of one checkout, medians of the rounds."""

    ready_seconds: float
    ready_cpu_seconds: float
    command_seconds: float
    command_cpu_seconds: float
    first_seconds: float
    """the first request after a start, n=4"""
    first_to_tenth: float
    """its ratio to later requests of the same start"""
    request_seconds: dict[int, float]
    """by n, 512×512 JPEG, one client"""
    request_cpu_seconds: dict[int, float]
    """by n: the least, of all processes of the service"""
    requests_per_second: float
    """answers to 16 clients"""


def measure(folder: Path, photo: bytes, repetitions: int, seconds: float) -> Figures:
    """Start one checkout's service and command once, and ask."""
    with running(folder=folder) as service, httpx.Client(base_url=service.url, timeout=300) as client:
        ready = service.start_seconds, service.cpu_seconds
        first, *others = (_request(service, client, photo, SAMPLES)[0] for _ in range(REQUESTS))
        asked = {n: [_request(service, client, photo, n) for _ in range(repetitions + 1)][1:] for n in NUMBERS}
        rate = measure_server(OURS, f"{service.url}{PATH}", CLIENTS, seconds).per_second
    command = _command(folder, photo)
    return Figures(
        *ready,
        *command,
        first,
        first / statistics.median(others[SETTLED - 1 :]),
        {n: statistics.median(wall for wall, _ in each) for n, each in asked.items()},
        {n: min(cpu for _, cpu in each) for n, each in asked.items()},
        rate,
    )


def timed(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Run a command to its end; return seconds and CPU seconds."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - this Python, this package
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def check_out(commit: str) -> Path:
    """Make a worktree of a commit, once."""
    folder = FOLDER / commit
    if not folder.exists():
        subprocess.run(  # noqa: S603 - git, and our own path
            ["git", "worktree", "add", "--detach", str(folder), commit],  # noqa: S607 - wherever it lies
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
    return folder


def _request(service: Service, client: httpx.Client, photo: bytes, n: int) -> tuple[float, float]:
    started, before = time.perf_counter(), service.cpu_seconds
    client.post(PATH, files={"image": photo}, data={"n": str(n)}).raise_for_status()
    return time.perf_counter() - started, service.cpu_seconds - before


def _command(folder: Path, photo: bytes) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "photo.jpg"
        file.write_bytes(photo)
        return timed((sys.executable, "-c", COMMAND, "colorize", str(file), "-n", "1", "-o", f"{place}/out"), folder)


def main(
    before_commit: Annotated[str, typer.Option("--before", help="The commit; default: this checkout alone.")] = "",
    rounds: int = 3,
    repetitions: Annotated[int, typer.Option(help="Times that each request is sent.")] = 5,
    seconds: Annotated[float, typer.Option(help=f"For which {CLIENTS} clients ask.")] = 20,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    photo = made_up_photo(SIDE, SIDE)
    folders = ([check_out(before_commit)] if before_commit else []) + [ROOT]
    timed((sys.executable, "-c", COMMAND, "--help"), ROOT)
    for folder in folders:
        _command(folder, photo)  # fills caches: bytecode, machine code, compiled networks
    turns = [[measure(each, photo, repetitions, seconds) for each in folders] for _ in range(rounds)]
    floors = [timed((sys.executable, "-c", FLOOR), ROOT) for _ in range(rounds)]
    floor = statistics.median(each[0] for each in floors), min(each[1] for each in floors)
    figures = [_median([each[i] for each in turns]) for i in range(len(folders))]
    now, before = figures[-1], figures[0] if before_commit else None
    shown: dict[str, Callable[[Figures], str]] = {
        "ready, s (CPU s)": lambda f: f"{f.ready_seconds:.2f} ({f.ready_cpu_seconds:.2f})",
        "`tintflow colorize`, one photo, s (CPU s)": lambda f: f"{f.command_seconds:.2f} ({f.command_cpu_seconds:.2f})",
        "first request, s (times the tenth)": lambda f: f"{f.first_seconds:.2f} ({f.first_to_tenth:.2f})",
        **{f"n={n}, CPU ms of the service (ms)": partial(_request_cost, n) for n in NUMBERS},
        "n=16 by n=4, CPU": lambda f: f"{f.request_cpu_seconds[16] / f.request_cpu_seconds[4]:.2f}",
        f"requests/s, {CLIENTS} clients, n={SAMPLES}": lambda f: f"{f.requests_per_second:.2f}",
    }
    cells = [(name, None if before is None else show(before), show(now)) for name, show in shown.items()]
    imports = f"importing its packages alone takes {floor[0]:.2f} s ({floor[1]:.2f} CPU s)"
    targets = [
        Target(
            f"ready in {READY_SECONDS:g} s", f"{now.ready_seconds:.2f} s; {imports}", now.ready_seconds <= READY_SECONDS
        ),
        Target(
            f"`tintflow colorize` in {COMMAND_SECONDS:g} s",
            f"{now.command_seconds:.2f} s; {imports}",
            now.command_seconds <= COMMAND_SECONDS,
        ),
        Target(
            f"first request at most {FIRST_TO_TENTH:g} times the tenth",
            f"{now.first_seconds:.3f} s: {now.first_to_tenth:.2f} times",
            now.first_to_tenth <= FIRST_TO_TENTH,
        ),
        _ratio_target(now),
    ]
    if before:
        more = now.requests_per_second / before.requests_per_second
        per_second = len(os.sched_getaffinity(0)) / now.request_cpu_seconds[SAMPLES]
        measured = f"{more:.2f} times; no more than {per_second:.1f} a second fit the processors at the CPU time of one"
        targets.append(Target(f"{MORE_REQUESTS:g} times the requests/s of before", measured, more >= MORE_REQUESTS))
    header = f"{SIDE}×{SIDE} JPEG", f"before: {before_commit or 'not measured'}", "now"
    table = as_table(*header, title="before and now", cells=cells)
    report = {"before": None if before is None else asdict(before), "now": asdict(now), "floor": floor}
    write("compare", targets, report, json_file, [table])


def _request_cost(n: int, figures: Figures) -> str:
    return f"{1e3 * figures.request_cpu_seconds[n]:.0f} ({1e3 * figures.request_seconds[n]:.0f})"


def _ratio_target(now: Figures) -> Target:
    one, four, sixteen = (now.request_cpu_seconds[n] for n in NUMBERS)
    each = (sixteen - four) / 12
    measured = f"{sixteen / four:.2f} times; another sample takes {1e3 * each:.0f} CPU ms, n=1 {1e3 * one:.0f}"
    return Target(f"n=16 at most {N16_TO_N4:g} times n=4", measured, sixteen <= N16_TO_N4 * four)


def _median(found: Sequence[Figures]) -> Figures:
    names = [each.name for each in fields(Figures) if each.type is float]
    return Figures(
        **{name: statistics.median(getattr(each, name) for each in found) for name in names},
        request_seconds={n: statistics.median(each.request_seconds[n] for each in found) for n in NUMBERS},
        request_cpu_seconds={n: min(each.request_cpu_seconds[n] for each in found) for n in NUMBERS},
    )


if __name__ == "__main__":
    typer.run(main)

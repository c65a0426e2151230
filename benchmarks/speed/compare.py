"""Comparison with an earlier commit, in one run: `python -m benchmarks.speed.compare --before COMMIT [--json -]`.

Measures the start, the command line, the first request and later ones; without a commit, of this checkout alone. The
commit is checked out into a git worktree in build/, with its own weights and the same packages. Both are measured in
turns, only through the command line and HTTP. CPU seconds are user and system time of all processes: on a busy machine,
they are steadier than the clock.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import httpx
import typer

from benchmarks.load.serving import OURS, REQUEST, SAMPLES, SIDE, measure_server
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import COMMAND, PATH, Service, made_up_photo, running

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "before"
CLIENTS = 16
NUMBERS = (1, 4, 16)
READY_SECONDS, COMMAND_SECONDS = 3.0, 4.0
N16_TO_N4 = 2.5
FIRST_TO_TENTH = 1.5
ROUNDS, REPETITIONS, SECONDS = 3, 5, 20.0
"""Rounds of all measurements, repetitions of each request, and seconds of load by CLIENTS."""
REQUESTS, SETTLED = 12, 7
"""Requests after a start; the median of those after the first SETTLED stands for the tenth: a single one is noisy."""
MORE_REQUESTS = 1.25
FLOOR = "import model, cv2, fastapi, numba, openvino, typer, uvicorn"
"""Imports that every start needs. The first keeps OpenVINO from reporting its use."""


def measure(folder: Path, photo: bytes) -> dict[str, float]:
    """Measure the service and the command of one checkout once; return wall-clock and CPU seconds."""
    with running(folder=folder) as service, httpx.Client(base_url=service.url, timeout=300) as client:
        found = {"ready": service.start_seconds, "ready, CPU": service.cpu_seconds}
        first, *others = (_request(service, client, photo, SAMPLES)[0] for _ in range(REQUESTS))
        found |= {"first": first, "first by the tenth": first / statistics.median(others[SETTLED - 1 :])}
        for n in NUMBERS:
            asked = [_request(service, client, photo, n) for _ in range(REPETITIONS + 1)][1:]
            found[f"n={n}"] = statistics.median(wall for wall, _ in asked)
            found[f"n={n}, CPU"] = min(cpu for _, cpu in asked)
        found["requests/s"] = measure_server(OURS, f"{service.url}{PATH}", CLIENTS, SECONDS).per_second
    found["command"], found["command, CPU"] = _command(folder, photo)
    return found


def timed(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Run a command; return wall-clock and CPU seconds."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - this Python, this package
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def check_out(commit: str) -> Path:
    """Make a worktree of a commit if there is none; return its folder."""
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
    before_commit: Annotated[str, typer.Option("--before", help="Earlier commit to compare with; default: none.")] = "",
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    photo = made_up_photo(SIDE, SIDE)
    folders = ([check_out(before_commit)] if before_commit else []) + [ROOT]
    timed((sys.executable, "-c", COMMAND, "--help"), ROOT)
    for folder in folders:
        _command(folder, photo)  # fills caches: bytecode, machine code, compiled networks
    turns = [[measure(each, photo) for each in folders] for _ in range(ROUNDS)]
    floors = [timed((sys.executable, "-c", FLOOR), ROOT) for _ in range(ROUNDS)]
    figures = [_summary([each[i] for each in turns]) for i in range(len(folders))]
    now, before = figures[-1], figures[0] if before_commit else {}
    floor = _summary([{"imports": wall, "imports, CPU": cpu} for wall, cpu in floors])
    imports = "importing its packages alone takes {:.2f} s ({:.2f} CPU s)".format(*floor.values())
    one, four, sixteen = (now[f"n={n}, CPU"] for n in NUMBERS)
    another = f"another sample takes {1e3 * (sixteen - four) / 12:.0f} CPU ms, n=1 {1e3 * one:.0f}"
    ready, command = f"{now['ready']:.2f} s; {imports}", f"{now['command']:.2f} s; {imports}"
    ratio = now["first by the tenth"]
    first, times = f"{now['first']:.3f} s: {ratio:.2f} times", f"{sixteen / four:.2f} times; {another}"
    targets = [
        Target(f"ready in {READY_SECONDS:g} s", ready, now["ready"] <= READY_SECONDS),
        Target(f"`tintflow colorize` in {COMMAND_SECONDS:g} s", command, now["command"] <= COMMAND_SECONDS),
        Target(f"first request at most {FIRST_TO_TENTH:g} times the tenth", first, ratio <= FIRST_TO_TENTH),
        Target(f"n=16 at most {N16_TO_N4:g} times n=4", times, sixteen <= N16_TO_N4 * four),
    ]
    if before:
        more = now["requests/s"] / before["requests/s"]
        per_second = len(os.sched_getaffinity(0)) / now[f"n={SAMPLES}, CPU"]
        measured = f"{more:.2f} times; no more than {per_second:.1f} a second fit the processors at the CPU time of one"
        targets.append(Target(f"{MORE_REQUESTS:g} times the requests/s of before", measured, more >= MORE_REQUESTS))
    compared = [{"figure": name, "before": before.get(name), "now": figure} for name, figure in now.items()]
    report = {"request": REQUEST, "before": before_commit or None, "compared": compared, "floor": floor}
    write("compare", targets, report, json_file)


def _summary(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return medians over rounds, or minimums for CPU seconds of requests and imports."""
    least = {name for name in rounds[0] if name.endswith("CPU") and name.startswith(("n=", "imports"))}
    return {name: (min if name in least else statistics.median)([each[name] for each in rounds]) for name in rounds[0]}


if __name__ == "__main__":
    typer.run(main)

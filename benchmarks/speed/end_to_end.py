"""Time of each stage for a large photo: `python -m benchmarks.speed.end_to_end [--json -]`.

Sends 12-megapixel gray JPEGs to the service one after the other, n=4, for JPEG answers. The answers report the stages'
times. The floor is the time to decode the photo and encode the four colorings, on as many threads as cores. The profile
is by py-spy (in an environment of its own), over all threads and processes of the service.
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer

from benchmarks.cost import cost
from benchmarks.environment import environment
from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, made_up_photo, running
from service.codecs.decoding import decode
from service.codecs.encoding import encode

WIDTH, HEIGHT, SAMPLES = 4000, 3000, 4
QUALITY = 95
REQUESTS, WARM_UP_REQUESTS = 15, 2
PROFILE_SECONDS, PROFILE_RATE = 12, 100
PROFILE_ROWS = 14
P50_SECONDS = 2.5


def ask(client: httpx.Client, photo: bytes) -> tuple[float, dict[str, float]]:
    """Send a request; return the seconds until the answer is complete, and the stages' seconds that it reports."""
    started = time.perf_counter()
    answer = client.post(PATH, files={"image": photo}, data={"n": str(SAMPLES)})
    elapsed = time.perf_counter() - started
    answer.raise_for_status()
    return elapsed, answer.json()["timings"]


def floor_seconds(photo: bytes) -> tuple[float, float]:
    """Time decoding the photo and encoding the samples alone, in this process."""
    colors = np.asarray(decode(made_up_photo(WIDTH, HEIGHT, color=True), WIDTH * HEIGHT).pixels, np.uint8)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:

        def encode_all() -> None:
            list(threads.map(lambda _: encode(colors, None, "jpeg", QUALITY), range(SAMPLES)))

        return cost(decode, photo, WIDTH * HEIGHT).seconds, cost(encode_all).seconds


def profile(process: int, client: httpx.Client, photo: bytes) -> Counter[str]:
    """Sample the service's busy threads while it answers; return how often each Python function was innermost."""
    python = environment("py-spy", "py-spy")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks.txt"
        options = ["--format", "raw", "--nonblocking", "--subprocesses", "--rate", str(PROFILE_RATE)]
        command = ["record", *options, "--duration", str(PROFILE_SECONDS), "--pid", str(process), "--output", str(file)]
        spy = subprocess.Popen(  # noqa: S603 - a program that we installed
            [str(python.parent / "py-spy"), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while spy.poll() is None:
            ask(client, photo)
        found: Counter[str] = Counter()
        for line in file.read_text().splitlines() if file.exists() else []:
            stack, count = line.rsplit(" ", 1)
            found[stack.split(";")[-1].rsplit(":", 1)[0].removesuffix(")") + ")"] += int(count)
    return found


def main(
    device: Annotated[str | None, typer.Option(help="Device of the model: cpu, cuda, auto.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure, and print tables."""
    photo = made_up_photo(WIDTH, HEIGHT)
    settings = {"TINTFLOW_DEVICE": device} if device else {}
    with running(settings) as service, httpx.Client(base_url=service.url, timeout=60) as client:
        for _ in range(WARM_UP_REQUESTS):
            ask(client, photo)
        before = service.cpu_seconds
        answers = [ask(client, photo) for _ in range(REQUESTS)]
        spent = (service.cpu_seconds - before) / REQUESTS
        spied = profile(service.process.pid, client, photo)
    p50, p99 = (float(each) for each in np.percentile([elapsed for elapsed, _ in answers], (50, 99)))
    stages = {name: statistics.median(timings[name] for _, timings in answers) for name in answers[0][1]}
    stages["the rest: HTTP, base64"] = p50 - sum(stages.values())
    decoding, encoding = floor_seconds(photo)
    figures = {
        "requests": REQUESTS,
        "p50_seconds": p50,
        "p99_seconds": p99,
        "cpu_seconds": spent,
        "stages": stages,
        "floor_seconds": {"decode": decoding, "encode": encoding},
        "profile": {name: 100 * count / spied.total() for name, count in spied.most_common(PROFILE_ROWS)},
    }
    task = f"{WIDTH * HEIGHT / 1e6:g} megapixels, n={SAMPLES}, JPEG"
    target = Target(f"{task}: p50 in {P50_SECONDS:g} s", f"{p50:.2f} s", p50 <= P50_SECONDS)
    write("end to end", [target], figures, json_file)


if __name__ == "__main__":
    typer.run(main)

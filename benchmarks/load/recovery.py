"""How soon the service notices failed decoders and recovers: `python -m benchmarks.load.recovery`.

Takes two minutes. Linux only: it suspends processes, and lowers the limit on open files of one.
"""

import time
from collections import Counter

import httpx
import psutil
import typer

from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, made_up_photo, running
from service.codecs.sandbox import PATIENCE
from service.codecs.sandbox_limits import FIRST_SECONDS
from service.settings import Settings

PHOTOS = 8
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 300.0
MARGIN_SECONDS = 10.0
STANDARD_FILES = 3
"""Limit of open files at which a process cannot open another."""


def color(client: httpx.Client) -> str:
    """Send a good photo; return the status, and the error's code if there is one."""
    answer = client.post(PATH, files={"image": made_up_photo(256, 256)}, data={"n": "1"})
    return "200" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['code']}"


def take_files(process: psutil.Process, client: httpx.Client) -> Counter[str]:
    """Return the answers to good photos while the service's process cannot open files."""
    before = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (STANDARD_FILES, before[1]))
    try:
        return Counter(color(client) for _ in range(PHOTOS))
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, before)
        seconds_until(200, client)


def seconds_until(status: int, client: httpx.Client) -> float:
    """Wait until /readyz has a status; return the seconds."""
    started = time.monotonic()
    while client.get("/readyz").status_code != status:
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


def main(json_file: JsonFile = None) -> None:
    """Measure, and print a table."""
    with running() as service, httpx.Client(base_url=service.url, timeout=TIMEOUT_SECONDS) as client:
        color(client)
        before = len(service.processes) - 1
        refused = take_files(service.process, client)
        after = Counter(color(client) for _ in range(PHOTOS))
        _, *decoders = service.processes
        for decoder in decoders:
            decoder.suspend()
        until_503, until_200 = seconds_until(503, client), seconds_until(200, client)
        answered = color(client)
    longest = Settings().canary_seconds + PATIENCE * FIRST_SECONDS + MARGIN_SECONDS
    targets = [
        Target("photos where no file can be opened: 503 only", _told(refused), set(refused) == {"503 decoder_lost"}),
        Target("the same photos after that", _told(after), set(after) == {"200"}),
        Target("decoders before and after", f"{before} and {len(decoders)}", len(decoders) <= before),
        Target(f"all decoders stopped: /readyz is 503 within {longest:g} s", f"{until_503:.0f} s", until_503 < longest),
        Target("and 200 again, with new decoders", f"{until_200:.0f} s later", answered == "200"),
    ]
    figures = {"refused": refused, "after": after, "seconds_until_503": until_503, "seconds_until_200": until_200}
    write("recovery", targets, figures, json_file)


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{number} × {answer}" for answer, number in answers.items())


if __name__ == "__main__":
    typer.run(main)

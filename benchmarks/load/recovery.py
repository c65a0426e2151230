"""Decoders that fail, and how soon the service knows and recovers: `python -m benchmarks.load.recovery`.

Takes two minutes. Linux only: it stops processes, and takes the right to open files from one.
"""

import time
from collections import Counter

import httpx
import psutil
import typer

from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, Service, made_up_photo, running
from service.codecs.sandbox import PATIENCE
from service.codecs.sandbox_limits import FIRST_SECONDS
from service.settings import Settings

PHOTOS = 8
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 300.0
MARGIN_SECONDS = 10.0
STANDARD_FILES = 3
"""Limit of open files at which a process cannot open another."""


class Faults:
    """A service, and what is done to its decoders."""

    def __init__(self, service: Service, client: httpx.Client) -> None:
        self._service = service
        self._client = client
        self._photo = made_up_photo(256, 256)

    def color(self) -> str:
        """Return the status that a good photo gets, and the code if there is one."""
        answer = self._client.post(PATH, files={"image": self._photo}, data={"n": "1"})
        return "200" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['code']}"

    def decoders(self) -> int:
        return len(self._service.processes) - 1

    def stop_decoders(self) -> tuple[float, float]:
        """Stop all decoders. Returns the seconds until /readyz says 503, and from then on until it says 200."""
        for decoder in self._service.processes[1:]:
            decoder.suspend()
        return self._seconds_until(503), self._seconds_until(200)

    def take_files(self) -> Counter[str]:
        """Return what good photos get while the service cannot open a file."""
        process = self._service.process
        before = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (STANDARD_FILES, before[1]))
        try:
            return Counter(self.color() for _ in range(PHOTOS))
        finally:
            process.rlimit(psutil.RLIMIT_NOFILE, before)
            self._seconds_until(200)

    def _seconds_until(self, status: int) -> float:
        started = time.monotonic()
        while self._client.get("/readyz").status_code != status:
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started


def main(json_file: JsonFile = None) -> None:
    """Measure, and print a table."""
    with running() as service, httpx.Client(base_url=service.url, timeout=TIMEOUT_SECONDS) as client:
        faults = Faults(service, client)
        faults.color()
        before = faults.decoders()
        refused = faults.take_files()
        after = Counter(faults.color() for _ in range(PHOTOS))
        left = faults.decoders()
        until_503, until_200 = faults.stop_decoders()
        answered = faults.color()
    longest = Settings().canary_seconds + PATIENCE * FIRST_SECONDS + MARGIN_SECONDS
    targets = [
        Target("photos where no file can be opened: 503 only", _told(refused), set(refused) == {"503 decoder_lost"}),
        Target("the same photos after that", _told(after), set(after) == {"200"}),
        Target("decoders before and after", f"{before} and {left}", left <= before),
        Target(f"all decoders stopped: /readyz is 503 within {longest:g} s", f"{until_503:.0f} s", until_503 < longest),
        Target("and 200 again, with new decoders", f"{until_200:.0f} s later", answered == "200"),
    ]
    figures = {"refused": refused, "after": after, "seconds_until_503": until_503, "seconds_until_200": until_200}
    write("recovery", targets, figures, json_file)


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{number} × {answer}" for answer, number in answers.items())


if __name__ == "__main__":
    typer.run(main)

"""Cost of a call: seconds, processor seconds and memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "cost"]

REPETITIONS = 3


@dataclass(frozen=True)
class Cost:
    """Cost of one call."""

    seconds: float
    """wall clock, the best of the repetitions"""
    cpu_seconds: float
    """least processor time of all threads; steadier than wall clock on a busy machine"""
    extra_megabytes: float | None = None
    """peak memory above that in use before; None where the system does not report it"""


def cost(call: Callable[..., object], *arguments: object, repetitions: int = REPETITIONS) -> Cost:
    """Measure several calls. If the first call does extra work, such as loading a kernel, call once before."""
    before = _peak_megabytes(reset=True)
    seconds, cpu_seconds = [], []
    for _ in range(repetitions):
        start, cpu_start = time.perf_counter(), time.process_time()
        call(*arguments)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    after = _peak_megabytes(reset=False)
    extra = None if before is None or after is None else after - before
    return Cost(min(seconds), min(cpu_seconds), extra)


def _peak_megabytes(reset: bool) -> float | None:
    status = Path("/proc/self/status")
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the memory in use
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    except OSError:
        return None
    return int(fields["VmHWM"].split()[0]) / 1024

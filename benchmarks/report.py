"""Reports of benchmarks: tables for people, and a JSON object for programs."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from model.device import THREADS, choose_device

__all__ = ["JsonFile", "Target", "rows", "write", "write_json"]

JsonFile = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file, - for standard output.")
]

WIDTH = 160  # of tables, in characters, where the terminal's is not known


@dataclass(frozen=True)
class Target:
    """A promise, what was measured of it, and whether it was kept."""

    promise: str
    measured: str
    kept: bool


def rows(*header: str, title: str, cells: Sequence[Sequence[object]]) -> Table:
    """Return a table; numbers are shown to three digits, None as nothing."""
    table = Table(*header, title=title, box=MARKDOWN)
    for row in cells:
        table.add_row(*map(_shown, row))
    return table


def write(
    title: str, targets: Sequence[Target], figures: Mapping[str, object], file: str | None, tables: Sequence[Table] = ()
) -> None:
    """Print what was measured; with a file, write the figures too. Exits with status 1 if a promise was not kept."""
    console = Console(file=sys.stderr if file == "-" else sys.stdout)
    if not console.is_terminal:
        console.width = WIDTH
    for table in tables:
        console.print(table)
    if targets:
        kept = [(each.promise, each.measured, "yes" if each.kept else "NO") for each in targets]
        console.print(rows("promise", "measured", "kept", title=title, cells=kept))
    if file:
        report = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "hardware": _hardware(),
            "targets": [asdict(each) for each in targets],
            **figures,
        }
        write_json(report, file)
    if not all(target.kept for target in targets):
        raise SystemExit(1)


def write_json(report: Mapping[str, object], file: str | None) -> None:
    """Write a report to a file, to standard output for `-`, or nowhere for None."""
    text = json.dumps(report, indent=2)
    if file == "-":
        print(text)
    elif file:
        Path(file).write_text(text + "\n")


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:.0f}"


def _hardware() -> dict[str, object]:
    return {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "threads": THREADS, "gpu": _gpu()}


def _gpu() -> str | None:
    if choose_device("auto") == "cpu":
        return None
    import torch  # late: where there is no GPU, none is needed

    return torch.cuda.get_device_name()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()

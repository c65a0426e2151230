"""Reports of benchmarks: tables for people, and a JSON object for programs."""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model.device import THREADS, choose_device

__all__ = ["JsonFile", "Target", "progress", "show", "table", "write", "write_json"]

Item = TypeVar("Item")


def _in_a_folder(file: str | None) -> str | None:
    """Refuse a file whose folder does not exist, before anything is measured."""
    if file and not Path(file).parent.is_dir():
        raise typer.BadParameter(f"no folder {Path(file).parent}")
    return file


JsonFile = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the figures to this file; - for standard output.", callback=_in_a_folder
    ),
]

WIDTH = 400  # of tables, in characters, where the terminal's width is unknown: breaks no line


@dataclass(frozen=True)
class Target:
    """A promise, its measurement, and whether it was kept."""

    promise: str
    measured: str
    kept: bool


def table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """Return a table with a column for each name; numbers have four digits.

    A pair is a value and its error, None if unknown.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    shown = Table(*(name.replace("_", " ") for name in names), title=title, box=MARKDOWN)
    for row in rows:
        shown.add_row(*(_shown(row.get(name)) for name in names))
    return shown


def show(tables: Iterable[Table], file: str | None = None) -> None:
    """Print tables; where a report goes to standard output, to standard error."""
    console = Console(stderr=file == "-")
    if not console.is_terminal:
        console.width = WIDTH
    for each in tables:
        if each.rows:
            console.print(each)


def progress(doing: str, items: Iterable[Item], total: int | None = None) -> Iterable[Item]:
    """Show a loop's progress on standard error."""
    return track(items, doing, total, console=Console(stderr=True))


def write(title: str, targets: Sequence[Target], figures: Mapping[str, object], file: str | None) -> None:
    """Print figures and targets as tables; with a file, also write them. Exits with status 1 if a promise is broken.

    figures: each list of rows and each mapping becomes a table.
    """
    show(_tables(title, targets, figures), file)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    hardware = {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "threads": THREADS, "gpu": _gpu()}
    write_json({"date": date, "hardware": hardware, "targets": [asdict(t) for t in targets], **figures}, file)
    if not all(target.kept for target in targets):
        raise SystemExit(1)


def _tables(title: str, targets: Sequence[Target], figures: Mapping[str, object]) -> Iterator[Table]:
    single = {}
    for name, figure in figures.items():
        if isinstance(figure, Mapping):
            yield table(name, [{name: key, "value": value} for key, value in figure.items()])
        elif isinstance(figure, list):
            yield table(name, figure)
        else:
            single[name] = figure
    yield table("figures", [{"figure": name, "value": value} for name, value in single.items()])
    yield table(title, [asdict(each) | {"kept": "yes" if each.kept else "NO"} for each in targets])


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
    if isinstance(cell, tuple):
        value, error = cell
        return _shown(value) if error is None else f"{_shown(value)} ± {error:.2g}"
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.4g}" if abs(cell) < 10_000 else f"{cell:.0f}"


def _gpu() -> str | None:
    if choose_device("auto") == "cpu":
        return None
    import torch  # only where there is a GPU

    return torch.cuda.get_device_name()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()

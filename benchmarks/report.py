"""What every benchmark of the service prints: a table for people, and a JSON object for programs."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["Target", "add_json_option", "write"]


@dataclass(frozen=True)
class Target:
    """A promise, what was measured of it, and whether it was kept."""

    promise: str
    measured: str
    kept: bool


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Let the command take `--json`."""
    parser.add_argument("--json", metavar="FILE", help="where to write the figures, - for standard output")


def write(title: str, targets: list[Target], figures: Mapping[str, object], file: str | None) -> None:
    """Print what was measured; with a file, write the figures too. Exits with status 1 if a promise was not kept."""
    table = Table("promise", "measured", "kept", title=title)
    for target in targets:
        table.add_row(target.promise, target.measured, "yes" if target.kept else "NO")
    Console(file=sys.stderr if file == "-" else sys.stdout).print(table)
    if file:
        report = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "hardware": {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0))},
            "targets": {target.promise: target.kept for target in targets},
            **figures,
        }
        text = json.dumps(report, indent=2)
        print(text) if file == "-" else Path(file).write_text(text + "\n")
    if not all(target.kept for target in targets):
        raise SystemExit(1)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()

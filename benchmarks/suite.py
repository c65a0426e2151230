"""All benchmarks of speed in turn, then their plots: `python -m benchmarks.suite`, or `make bench`.

Each benchmark writes its figures to build/benchmarks/NAME.json. The suite takes about 25 minutes on two idle cores, and
fetches the peers from PyPI the first time. Its exit status is 1 if a target was missed.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

BENCHMARKS = (
    "speed.upsampling",
    "speed.sampling",
    "speed.codecs",
    "speed.runtimes",
    "load.batching",
    "load.serving",
    "speed.end_to_end",
    "speed.compare",
)
FOLDER = Path("build/benchmarks")


def main(
    compiled: Annotated[bool, typer.Option("--compile", help="Also time torch.compile; takes many minutes.")] = False,
    before: Annotated[str, typer.Option(metavar="COMMIT", help="Earlier commit for speed.compare.")] = "",
) -> None:
    """Run benchmarks, one after the other, and plot their figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in BENCHMARKS:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(FOLDER / f"{name.split('.')[-1]}.json")]
        if compiled and name == "speed.sampling":
            command.append("--compile")
        if before and name == "speed.compare":
            command += ["--before", before]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own modules
            missed.append(name)
    subprocess.run([sys.executable, "-m", "benchmarks.figures.plots"], check=True)
    if missed:
        print(f"Targets missed or not measured: {', '.join(missed)}", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    typer.run(main)

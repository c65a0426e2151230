"""Every benchmark of speed, one after the other, then their plots: `python -m benchmarks.suite`, which is `make bench`.

Each writes its figures to build/benchmarks/NAME.json. Takes about 20 minutes on two idle cores, and fetches the peers
from PyPI the first time. Its status is 1 if a target was missed.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["BENCHMARKS", "FOLDER", "main"]

BENCHMARKS = (
    "speed.upsampling",
    "speed.sampling",
    "speed.codecs",
    "load.batching",
    "load.serving",
    "speed.end_to_end",
    "speed.start",
)
COMPILING = ("speed.upsampling", "speed.sampling")
FOLDER = Path("build/benchmarks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run them; what one prints is shown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=BENCHMARKS, help=f"some of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--compile", action="store_true", help="what compilers make too: takes many minutes")
    options = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in options.names:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(FOLDER / f"{name.split('.')[-1]}.json")]
        if options.compile and name in COMPILING:
            command.append("--compile")
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own modules
            missed.append(name)
    subprocess.run([sys.executable, "-m", "benchmarks.figures.plots"], check=True)
    if missed:
        print(f"Targets missed, or not to be measured: {', '.join(missed)}", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""Runtimes for CPUs side by side, on one thread: `python -m benchmarks.speed.runtimes`.

OpenVINO is what the service uses. onnxruntime comes from PyPI, in an environment of its own. Differences are those to
torch, of the condition's features or of a* b*.
"""

import typer

from benchmarks.environment import environment, measured_in
from benchmarks.report import JsonFile, rows, write

__all__ = ["main"]

PEERS = ("onnxruntime", "onnx", "onnxscript")


def main(json_file: JsonFile = None) -> None:
    """Measure, and print a table."""
    found = measured_in(environment("runtimes", *PEERS), "benchmarks.peers.runtimes", OMP_NUM_THREADS="1")
    cells = [
        (row["part"], row["runtime"], 1000 * row["seconds"], 1000 * row["least_seconds"], row["mean_difference"])
        for row in found
    ]
    table = rows("part", "by", "ms", "least", "mean difference", title="one thread", cells=cells)
    write("runtimes", [], {"results": found}, json_file, [table])


if __name__ == "__main__":
    typer.run(main)

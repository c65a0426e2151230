"""Comparison of runtimes on a CPU, with one thread: `python -m benchmarks.speed.runtimes`.

OpenVINO is what the service uses. onnxruntime comes from PyPI, in an environment of its own. Differences are those to
torch, of the condition's features or of a* b*.
"""

import typer

from benchmarks.environment import environment, measured_in
from benchmarks.report import JsonFile, write


def main(json_file: JsonFile = None) -> None:
    """Measure, and print a table."""
    python = environment("runtimes", "onnxruntime", "onnx", "onnxscript")
    found = measured_in(python, "benchmarks.peers.runtimes", OMP_NUM_THREADS="1")
    write("runtimes", [], {"results": found}, json_file)


if __name__ == "__main__":
    typer.run(main)

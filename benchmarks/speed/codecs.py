"""Encoders and decoders side by side, on 12 megapixels and one thread: `python -m benchmarks.speed.codecs`.

Peers come from PyPI, in an environment of their own. What is encoded is a made-up photo with grain, at quality 95 where
there is such a thing; how near the file comes to it is told in decibel (PSNR).
"""

import typer

from benchmarks.environment import environment, measured_in
from benchmarks.report import JsonFile, write


def main(json_file: JsonFile = None) -> None:
    """Measure, and print a table."""
    python = environment("codecs", "pyvips[binary]", "simplejpeg")
    found = measured_in(python, "benchmarks.peers.encoders", OMP_NUM_THREADS="1", VIPS_CONCURRENCY="1")
    found.sort(key=lambda row: (row["what"], row["seconds"]))
    write("codecs", [], {"results": found}, json_file)


if __name__ == "__main__":
    typer.run(main)

"""Comparison of encoders and decoders, on 12 megapixels and one thread: `python -m benchmarks.speed.codecs`.

Peers come from PyPI, in an environment of their own. All encode a synthetic photo with grain, at quality 95 where a
format has a quality. The PSNR, in dB, is that of the decoded file to the photo.
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

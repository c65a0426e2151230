"""Encoders and decoders side by side, on 12 megapixels and one thread: `python -m benchmarks.speed.codecs`.

Peers come from PyPI, in an environment of their own. What is encoded is a made-up photo with grain, at quality 95 where
there is such a thing; how near the file comes to it is told in decibel (PSNR).
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.report import add_json_option, rows, write

__all__ = ["main"]

PEERS = ("pyvips[binary]", "simplejpeg")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table; with `--json`, write the figures too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.codecs", description=__doc__.split("\n")[0])
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave out what has to be installed")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    python = environment("codecs", *PEERS) if options.peers else Path(sys.executable)
    command = [str(python), "-m", "benchmarks.peers.encoders"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=one_thread).stdout  # noqa: S603 - our own
    found = json.loads(answer)
    found.sort(key=lambda row: (row["what"], row["seconds"]))
    cells = [
        (row["what"], row["name"], 1000 * row["seconds"], row.get("megabytes"), row.get("decibel")) for row in found
    ]
    table = rows("what", "by", "ms", "MB", "dB", title="12 megapixels, one thread", cells=cells)
    write("codecs", [], {"results": found}, options.json, [table])


if __name__ == "__main__":
    main()

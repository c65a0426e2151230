"""The commands of `tintflow`."""

import atexit
import gc
import os
import sys
from io import TextIOWrapper
from typing import NoReturn

__all__ = ["main"]

GARBAGE_THRESHOLDS = (100_000, 50, 100)
"""Python's own would look for garbage hundreds of times while the model is imported, and find none."""


def main() -> NoReturn:
    """Run a command and leave at once: Python would take long to take all that was loaded apart."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    if isinstance(sys.stdout, TextIOWrapper):  # as standard error does with what its encoding, or a name, does not hold
        sys.stdout.reconfigure(errors="backslashreplace")
    from service.cli.program import app  # late: the thresholds come first

    try:
        app()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # nobody reads it, or the disk is full
            status = status or 1
    os._exit(status)

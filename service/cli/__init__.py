"""The commands of `tintflow`."""

import atexit
import os
import sys
from typing import NoReturn

from service.cli.program import app

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run a command and leave at once: Python would take a second more to take torch apart."""
    try:
        app()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it, or the disk is full
            status = status or 1
    os._exit(status)

"""The commands of `tintflow`."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import NoReturn

from service.cli.statuses import INTERRUPTED, MISUSED

__all__ = ["ended_quietly", "main"]

GARBAGE_THRESHOLDS = (100_000, 50, 100)
"""Python's defaults would run the collector hundreds of times during the model's import, and free nothing."""


def main() -> NoReturn:
    """Run a command and exit at once, without Python's slow teardown of loaded modules."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    _open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):  # characters outside the encoding: as on standard error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with ended_quietly():
            from service.cli.program import app  # late: the thresholds come first

        app()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:  # while typer makes the commands; later, they answer for it
        status = INTERRUPTED
    except OSError as error:  # the user can fix it: a full disk, an unreadable folder
        sys.stderr.write(f"{error}\n")
        status = MISUSED
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it, or the disk is full
            status = status or 1
    os._exit(status)


@contextmanager
def ended_quietly() -> Iterator[None]:
    """Let Ctrl-C end this process at once while modules are imported, unless SIGINT is ignored or handled."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # pydantic would turn its KeyboardInterrupt into another error
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    yield
    signal.signal(signal.SIGINT, before)


def _open_closed_streams() -> None:
    """Replace closed standard streams by empty ones, which decoders inherit."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free number: the closed stream's own
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode))

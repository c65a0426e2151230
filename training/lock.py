"""A lock on a folder, so that two runs do not write into it at once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from model.errors import InputError

__all__ = ["locked"]


@contextmanager
def locked(folder: Path, option: str) -> Iterator[None]:
    """Hold the lock of a folder, made if missing, until the block or the process ends.

    Raises InputError, which names the option, if another run holds it. Windows and some network drives have no locks:
    there, runs do not notice each other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            import fcntl  # late: not on Windows

            held = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, held)  # which ends the lock
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            expected = "a folder that no other run writes into; start again once that run is done with it"
            raise InputError(option, expected, str(folder)) from error
        except (ImportError, OSError):
            pass  # no locks here
        yield

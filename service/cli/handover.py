"""`python -m service.cli.handover MODULE …`: the command line of a module, which Ctrl-C ends quietly from the start."""

import signal
import sys
from importlib import import_module

from service.cli import ended_quietly

__all__ = ["main"]


def main() -> None:
    """Import the module, which can take seconds, and run it. Takes over from a process that blocked SIGINT."""
    module = sys.argv.pop(1)
    with ended_quietly():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        program = import_module(f"{module}.__main__")
    program.app(prog_name=f"python -m {module}")


if __name__ == "__main__":
    main()

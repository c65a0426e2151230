"""SIGINT ends programs that tests start, even if the tests ignore it."""

import signal
import subprocess
import sys
from pathlib import Path

PATIENCE_SECONDS = 60
SLEEP = "import time; print(flush=True); time.sleep(600)"


def test_a_program_ends_by_sigint() -> None:
    command = [sys.executable, "-c", SLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:  # noqa: S603
        try:
            assert program.stdout is not None
            program.stdout.readline()
            program.send_signal(signal.SIGINT)
            assert program.wait(PATIENCE_SECONDS) == -signal.SIGINT
        finally:
            program.kill()


def test_a_program_ends_by_sigint_where_the_tests_ignore_it() -> None:
    one = f"{__file__}::{test_a_program_ends_by_sigint.__name__}"
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # like `nohup make test &`
    command = [*ignoring, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", one]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.DEVNULL)  # noqa: S603

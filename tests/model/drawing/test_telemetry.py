"""OpenVINO's package, which reports to its makers that it is imported, reports nothing when it is imported here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import sys
import time

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        print(event, arguments, flush=True)

sys.addaudithook(watch)
{statement}
time.sleep(1)  # a report is sent by a thread of its own
"""


@pytest.mark.parametrize(
    "statement",
    [
        "import model.drawing.runtimes.openvino_runtime",
        "import training.features; import openvino",  # imported late there
    ],
)
def test_openvino_reports_nothing(tmp_path: Path, statement: str) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("CI", None)  # there, it reports nothing anyway
    program = [sys.executable, "-c", WATCHED.format(statement=statement)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == ""
    assert list(tmp_path.glob("**/openvino*")) == []

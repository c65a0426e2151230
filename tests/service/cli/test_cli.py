"""The whole command line: start, imports, errors, and commands that are separate programs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from service import __version__
from service.cli.program import app
from tests.programs import run
from tests.service.cli.programs import ROOT, started
from training.__main__ import app as training


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run another Python in this folder."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=100)  # noqa: S603


def test_the_version_is_that_of_the_code_not_of_older_metadata(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = folder / "tintflow-0.1.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: tintflow\nVersion: 0.1\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    done = python(
        "-c",
        "from importlib.metadata import version; import tintflow; from service.cli.program import app; "
        "print(version('tintflow'), tintflow.__version__, flush=True); app(['--version'])",
    )
    assert done.stdout == f"0.1 {__version__}\ntintflow {__version__}\n"


def test_it_is_imported_from_the_folder_above_a_clone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tintflow", "service", "model"):
        (folder / name).mkdir()
    monkeypatch.delenv("PYTHONPATH", raising=False)
    done = python("-c", "from tintflow import Client")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["model.py", "service/__init__.py"])
def test_a_package_of_the_same_name_is_named(folder: Path, name: str) -> None:
    own = folder / name
    own.parent.mkdir(exist_ok=True)
    own.touch()
    done = python("-c", "from tintflow import Client")
    assert f"ImportError: {own} hides tintflow's own package" in done.stderr


def test_help_where_the_encoding_lacks_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = python("-m", "tintflow", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "likelihood" in done.stdout


def test_an_empty_host_is_refused_for_it_is_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.server.run", Mock(return_value=0))
    monkeypatch.setenv("COLUMNS", "300")
    assert "a host is empty" in run(app, "serve", "--host", "", status=2).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    command = [Path(sys.executable).with_name("tintflow"), "--version"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)  # noqa: S603
    assert (done.returncode, done.stderr) == (2, "[Errno 28] No space left on device\n")


INTERRUPTED = """
import signal
import sys
from service.cli import main
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "service.cli.program":
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as interrupt:
                raise ValueError("as pydantic does") from interrupt
sys.meta_path.insert(0, Interrupt())
main()
"""


MAKING = """
import signal
import typer.main
from service.cli import main
typer.main.get_command = lambda app: signal.raise_signal(signal.SIGINT)
main()
"""


@pytest.mark.parametrize("program", [INTERRUPTED, MAKING])
def test_ctrl_c_while_modules_are_imported_or_commands_made(program: str) -> None:
    with started([sys.executable, "-c", program]) as process:
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["train", "--data", "photos", "--help"], ["training", "run", "--data", "photos", "--help"]),
        (["eval", "--json", "-", "--data", "photos"], ["benchmarks.quality", "--json", "-", "--data", "photos"]),
    ],
)
def test_train_and_eval_become_their_programs(words: list[str], module: list[str], monkeypatch) -> None:
    """-P: a file in the current folder, such as training.py, does not hide ours."""
    become = Mock()
    monkeypatch.setattr(os, "execv", become)
    run(app, *words)
    handover = [sys.executable, "-P", "-m", "service.cli.handover"]
    become.assert_called_once_with(sys.executable, [*handover, *module])
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


HANDING_OVER = """
import os, signal
from service.cli.program import app
become = os.execv
os.execv = lambda *command: (signal.raise_signal(signal.SIGINT), become(*command))
app(["train", "--help"])
"""


def test_ctrl_c_while_train_or_eval_starts(folder: Path) -> None:
    """SIGINT ends the new program, whether it came before or while modules are imported, with the status of Ctrl-C."""
    (folder / "slow").mkdir()
    (folder / "slow" / "__main__.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    for arguments in (["-c", HANDING_OVER], ["-m", "service.cli.handover", "slow"]):
        with started([sys.executable, *arguments]) as process:
            assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 130


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ModuleNotFoundError("No module named 'some_weights'", name="some_weights")
    monkeypatch.setattr("training.__main__.run", Mock(side_effect=missing))
    said = run(training, "run", "--data", folder, status=2).stderr.replace("\n", " ")
    assert "some_weights is not installed: pip install 'tintflow[train]'" in said


HEAVY = {"fastapi", "matplotlib", "numba", "openvino", "ray", "safetensors", "scipy", "torch", "uvicorn"}
"""packages that only the work in this process needs"""
LIST_IMPORTS = """
import json, sys
from service.cli.program import app
for words in json.loads(sys.argv[1]):
    app(words, standalone_mode=False)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_help_and_a_client_of_a_server_import_nothing_heavy(service, photo: Path) -> None:
    colorize = ["colorize", str(photo), "-n", "1", "--url", str(service.client.base_url)]
    done = python("-c", LIST_IMPORTS, json.dumps([["--help"], ["serve", "--help"], ["colorize", "--help"], colorize]))
    assert done.returncode == 0, done.stderr
    assert not {*done.stdout.splitlines()[-1].split()} & HEAVY
    assert list(Path("out").glob("photo-*.jpg"))

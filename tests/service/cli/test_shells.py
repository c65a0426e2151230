"""Completion in real shells, with the scripts of `tintflow --install-completion`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.cli.programs import ROOT

ASK = {
    "bash": """
source "$HOME/.bash_completions/tintflow.sh"
COMP_WORDS=($1 ""); [[ $1 == *" " ]] || unset "COMP_WORDS[-1]"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$1
_tintflow_completion tintflow; printf "%s\\n" "${COMPREPLY[@]}"
""",
    "zsh": """
compdef() { }
_arguments() { print -r -- "$1" }
source "$HOME/.zfunc/_tintflow"
words=(${=1}); [[ $1 == *" " ]] && words+=("")
CURRENT=${#words}; _tintflow_completion
""",
    "fish": """complete -C "$argv[1]" """,
}


@pytest.fixture(params=sorted(ASK))
def shell(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A shell with tintflow on its path, and completion installed in a temporary home."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    program = folder / "bin/tintflow"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec '{Path(sys.executable).with_name('tintflow')}' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    ask(request.param, "tintflow --install-completion; true")
    return str(request.param)


def ask(shell: str, script: str, *words: str) -> str:
    arguments = [shell, "-c", script, *(() if shell == "fish" else ("-",)), *words]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=100)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_options_and_values(shell: str) -> None:
    def complete(line: str) -> str:
        return ask(shell, ASK[shell], line)

    commands = complete("tintflow ")
    assert all(word in commands for word in ("colorize", "likelihood", "serve", "keys"))
    options = complete("tintflow colorize --sa")
    assert "--saturation" in options
    assert "--seed" not in options
    values = complete("tintflow colorize photo.jpg -f ")
    assert all(word in values for word in ("jpeg", "png", "webp"))
    if shell != "bash":  # it shows no descriptions
        assert "photos’ own colors" in commands
        assert "color’s chroma" in options

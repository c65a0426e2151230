"""Every command of benchmarks, training and research in a document is accepted by its program."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "weights/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
COMMAND = re.compile(r"-m ((?:benchmarks|research|training)(?:\.\w+)*)((?:\\\n|[^`\n])*)")


def commands() -> Iterator[Any]:
    """Find the commands on all pages: module and arguments."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for each in COMMAND.finditer(text):
            words = shlex.split(each[2].replace("\\\n", " "), comments=True)
            line = text.count("\n", 0, each.start()) + 1
            if words and words[0] != "…" and "--help" not in words:  # otherwise it is mentioned, not called
                yield pytest.param(each[1], words, id=f"{page.name}:{line}")


@pytest.mark.parametrize(("module", "words"), list(commands()))
def test_a_command_is_understood(module: str, words: list[str]) -> None:
    program = importlib.import_module(module)
    if hasattr(program, "__path__"):  # a package
        program = importlib.import_module(f"{module}.__main__")
    app = getattr(program, "app", None)
    if app is None:
        app = typer.Typer()
        app.command()(program.main)  # type: ignore[attr-defined]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    context = type(command).context_class(command)
    given, left, _ = command.make_parser(context).parse_args(words)  # raises for an unknown option
    assert not left
    missing = [each.name for each in command.params if each.required and not given.get(each.name or "")]
    assert not missing or not any(given.values())  # a command without any options is only mentioned

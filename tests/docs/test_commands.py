"""Every command of benchmarks, training and research that a document names is understood by the program it is for."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "weights/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
COMMAND = re.compile(r"-m ((?:benchmarks|research|training)(?:\.\w+)*)((?:\\\n|[^`\n])*)")


def commands() -> list[tuple[str, str, tuple[str, ...]]]:
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for each in COMMAND.finditer(text):
            words = shlex.split(each[2].replace("\\\n", " "), comments=True)
            line = text.count("\n", 0, each.start()) + 1
            if words and words[0] != "…" and "--help" not in words:  # else it is named, not called
                found.append((f"{page.name}:{line}", each[1], tuple(words)))
    return found


COMMANDS = commands()


@pytest.mark.parametrize(("module", "words"), [each[1:] for each in COMMANDS], ids=[each[0] for each in COMMANDS])
def test_a_command_is_understood(module: str, words: tuple[str, ...]) -> None:
    program = importlib.import_module(module)
    if hasattr(program, "__path__"):  # a package
        program = importlib.import_module(f"{module}.__main__")
    app = getattr(program, "app", None)
    if app is None:
        app = typer.Typer()
        app.command()(program.main)  # type: ignore[attr-defined]
    command = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    context = type(command).context_class(command)
    given, left, _ = command.make_parser(context).parse_args(rest)  # raises where an option is unknown
    assert not left
    missing = [each.name for each in command.params if each.required and not given.get(each.name or "")]
    assert not missing or not any(given.values())  # a command that is named without any options is not called

"""Plain English: a docstring begins with the thing itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEPT = ("tintflow", "service", "model/pixels", "model/options.py", "model/protocol.py")
RIDDLES = ("of ", "what ", "that ", "who ", "whoever ", "whom ")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def files() -> list[Path]:
    found = (ROOT / name for name in KEPT)
    return [file for path in found for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_first_lines_name_the_thing(file: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, DOCUMENTED)]
    found = [ast.get_docstring(node) or "" for node in nodes]
    assert not [text.partition("\n")[0] for text in found if text.lower().startswith(RIDDLES)]

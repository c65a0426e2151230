"""Plain English in docstrings: the first words name the thing, and spelling is American."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("tintflow", "service", "model", "training", "benchmarks", "research", "tests")
RIDDLES = ("of ", "what ", "that ", "who ", "whoever ", "whom ", "which ", "whose ", "those ", "so that ")
BRITISH = re.compile(r"colour|grey|behaviour|neighbour", re.IGNORECASE)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def files() -> list[Path]:
    return [ROOT / "install.py", *(file for name in FOLDERS for file in sorted((ROOT / name).rglob("*.py")))]


def docstrings(file: Path) -> list[str]:
    """Return the docstrings of modules, classes, functions, constants and fields."""
    bodies = [node.body for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, DOCUMENTED)]
    return [each.value.value for body in bodies for each in body if isinstance(each, ast.Expr) and is_text(each.value)]


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_first_lines_name_the_thing_and_spelling_is_american() -> None:
    for file in files():
        for text in docstrings(file):
            assert not text.lower().startswith(RIDDLES), file
            assert not BRITISH.search(re.sub(r"`[^`]*`|Measuring Colourfulness", "", text)), file

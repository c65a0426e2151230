"""Separation of research from the product."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_does_not_hold_research() -> None:
    include = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = [folder.name for folder in ROOT.iterdir() if (folder / "__init__.py").exists()]
    held = {name for name in folders if any(fnmatch(name, pattern) for pattern in include)}
    assert {"model", "service", "training"} <= held
    assert "research" in folders
    assert "research" not in held

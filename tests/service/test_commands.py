"""The commands on files, around the fake colorizer."""

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from service.commands import add_commands


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def app(service) -> typer.Typer:
    app = typer.Typer()
    add_commands(app, lambda settings: service.colorizer)
    return app


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["colorize", "PHOTO", "-n", "3", "--seed", "7"], ["photo-7-0.png", "photo-7-1.png", "photo-7-2.png"]),
        (
            ["variations", "PHOTO", "--seed", "7", "--index", "1", "-n", "2", "--noise-seed", "9"],
            ["photo-9-0.png", "photo-9-1.png"],
        ),
        (["transfer", "PHOTO", "PHOTO", "-n", "1", "--seed", "3"], ["photo-3-0.png"]),
        (
            ["interpolations", "PHOTO", "--seed", "7", "--index", "0", "--end-index", "2", "--steps", "2"],
            ["photo-7-0.png", "photo-7-1.png"],
        ),
    ],
    ids=lambda value: value[0],
)
def test_colorings_are_written(app: typer.Typer, photo: Path, arguments: list[str], files: list[str]) -> None:
    out = photo.parent / "out"
    command = [str(photo) if word == "PHOTO" else word for word in arguments]
    result = CliRunner().invoke(app, [*command, "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in out.iterdir()) == files
    with Image.open(out / files[0]) as image:
        assert (image.size, image.mode) == ((30, 20), "RGB")


def test_likelihood_is_shown(app: typer.Typer, photo: Path) -> None:
    result = CliRunner().invoke(app, ["likelihood", str(photo)])
    assert result.exit_code == 0, result.output
    assert "bits/dim" in result.stdout


def test_a_broken_file_is_named_as_such(app: typer.Typer, photo: Path) -> None:
    photo.write_text("only text")
    result = CliRunner().invoke(app, ["colorize", str(photo)])
    assert result.exit_code == 2
    assert "not a file of a type" in result.stderr

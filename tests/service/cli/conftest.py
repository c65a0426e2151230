"""The command line with the fake colorizer, in a new folder with photos."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
import typer
from click.testing import Result

from service.cli.commands import add_commands
from tests import programs


@pytest.fixture(autouse=True)
def folder(own_logging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("TINTFLOW_URL", "TINTFLOW_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def photo(folder: Path, grey_png: bytes) -> Path:
    """A gray photo, 40 wide and 24 high."""
    (folder / "photo.png").write_bytes(grey_png)
    return Path("photo.png")


@pytest.fixture
def load(service, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The loader of the model. Commands share the service's decoders, since decoders take long to start."""
    decoders = service.app.state.engine._decoders
    monkeypatch.setattr("service.engine.Decoders", Mock(return_value=Mock(decode=decoders.decode)))
    return Mock(return_value=service.colorizer)


@pytest.fixture
def app(load: Mock) -> typer.Typer:
    app = typer.Typer()
    add_commands(app, load)
    return app


@pytest.fixture
def run(app: typer.Typer) -> Callable[..., Result]:
    """A function that runs a command, and checks its exit status."""
    return partial(programs.run, app)

"""Refusal of unusable photos and folders before anything is loaded."""

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from service.client.client import ENVIRONMENT


@pytest.fixture
def refused(run: Callable, load: Mock, folder: Path, photo: Path, monkeypatch) -> Callable[..., str]:
    """A function that returns a command's messages; checks that it ends with status 2, and loads and writes nothing."""
    Path("notes").touch()
    Path("empty").mkdir()
    os.mkfifo("pipe")
    monkeypatch.setenv("COLUMNS", "300")

    def invoke(*words: object) -> str:
        before = set(folder.rglob("*"))
        said: str = run(*words, status=2).stderr
        assert set(folder.rglob("*")) == before
        load.assert_not_called()
        return said

    return invoke


NO_FORMAT = "no format that tintflow writes;"
FOR_ONE_FILE = "give a file that ends in .jpeg, .jpg, .png or .webp"
REFUSED = {
    f"{NO_FORMAT} for one coloring, {FOR_ONE_FILE}": ["colorize photo.png x.gif"],
    f"{NO_FORMAT} {FOR_ONE_FILE}, or a folder": [
        "colorize photo.png -o new/x.TIFF",
        "colorize photo.png -o x.pdf",
        "variations photo.png -o x.gif --seed 7 --index 0",
    ],
    "for a new output folder, give -o colored": ["colorize photo.png colored"],
    "notes is a file, not a folder": [
        *(f"colorize photo.png -n 1 -o {out}" for out in ("notes", "notes/below", "notes/below/x.jpg", "notes/x.jpg")),
        "watch empty -o notes",
    ],
    "photo.png is a file, not a folder ": ["watch empty -o photo.png", "colorize photo.png -o photo.png/x"],
    "expected a URL such as http://localhost:8000, without ? or #, got localhost:8000": [
        "colorize photo.png --server localhost:8000",
        "models --server localhost:8000",
    ],
    "the output folder . holds it; choose another": ["colorize . -o .", "colorize *.png -o .", "colorize empty -o ."],
    ". holds the photos": ["watch . -o .", "watch empty -o ."],
    "the coloring of standard input needs a file": ["colorize - -o new/", "colorize - photo.png missing.png"],
    "pipe\tnot a file; for one coloring, give a second name": ["colorize pipe -n 1"],
    "one file holds one coloring; give n=1": ["colorize - -n 2"],
    "one file holds one coloring; give a folder, or n=1": ["colorize photo.png -n 2 -o x.jpg"],
    "one file cannot hold several colorings": ["interpolations photo.png --seed 7 --index 0 -o x.jpg"],
    "one file cannot hold colorings of several photos; give a folder": [
        f"colorize {photos} -o x.jpg" for photos in ("empty", "*.png", "photo.png photo.png")
    ],
    "x.jpg has the suffix of another format": ["colorize photo.png -f png -o x.jpg"],
    "a contact sheet needs a folder": ["colorize photo.png --sheet -o x.jpg"],
    "missing.png: No such file or directory": ["colorize missing.png -o x.jpg"],
    "phto.png is not there": ["colorize phto.png photo.png"],
}


@pytest.mark.parametrize(("words", "expected"), [(words, said) for said, lines in REFUSED.items() for words in lines])
def test_contradictory_arguments_are_refused(refused: Callable, words: str, expected: str) -> None:
    assert expected in refused(*words.split())


def test_a_folder_may_look_like_a_file_if_it_is_there(run: Callable, photo: Path) -> None:
    Path("x.gif").mkdir()
    run("colorize", photo, "-n", 1, "-o", "x.gif")
    run("colorize", photo, "-n", 1, "-o", "scans.2026")
    assert list(Path("x.gif").glob("photo-*.jpg"))
    assert list(Path("scans.2026").glob("photo-*.jpg"))


@pytest.mark.parametrize("command", [["colorize", "photo.png"], ["watch", "empty"]])
def test_an_empty_output_is_not_the_current_folder(refused: Callable, photo: Path, command: list[str]) -> None:
    assert "a name is empty" in refused(*command, "-o", "")


@pytest.mark.parametrize("out", ["new", "new/x.jpg"])
def test_a_folder_that_cannot_be_made(refused: Callable, photo: Path, out: str, monkeypatch) -> None:
    monkeypatch.setattr(Path, "mkdir", Mock(side_effect=PermissionError(13, "Permission denied")))
    assert "the folder new cannot be made: Permission denied" in refused("colorize", photo, "-n", 1, "-o", out)


@pytest.mark.parametrize("out", ["empty", "empty/x.jpg"])
def test_a_folder_that_cannot_be_written(refused: Callable, photo: Path, out: str, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)  # simulated, since root may write anywhere
    assert "the folder empty cannot be written to" in refused("colorize", photo, "-n", 1, "-o", out)


def test_a_record_that_cannot_be_written(refused: Callable, photo: Path, monkeypatch) -> None:
    record = Path("empty/tintflow.jsonl")
    record.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: path != record or not mode & os.W_OK)
    assert "empty/tintflow.jsonl cannot be written to" in refused("colorize", photo, "-n", 1, "-o", "empty")


@pytest.mark.parametrize("command", ["colorize", "likelihood"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing.jpg"], "No such file or directory"),
        (["missing.jpg", "empty"], "No such file or directory"),
        (["empty"], "no photos found"),
        (["*.jpg"], "no photos found"),
        ([""], "a name is empty"),
    ],
)
def test_no_photos(refused: Callable, words: list[str], expected: str, command: str) -> None:
    said = refused(command, *words)
    assert expected in said
    assert all(word in said for word in words)


def test_a_photo_that_may_not_be_read_keeps_no_other_from_being_done(run: Callable, photo: Path, monkeypatch) -> None:
    Path("secret.png").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "secret.png")
    result = run("likelihood", "secret.png", photo, status=1)
    assert photo.name in result.stdout
    assert "secret.png" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("ALL_PROXY", "socks9://proxy:1080"),
            ("HTTP_PROXY", "proxy:port"),
            ("https_proxy", "http://me:se/cret@proxy"),
        ),
        *(("NO_PROXY", "[::1]"), ("SSL_CERT_FILE", "-")),
    ],
)
def test_an_environment_that_httpx_cannot_use(refused: Callable, name: str, value: str, monkeypatch) -> None:
    for each in ENVIRONMENT:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)
    shown = refused("models", "--server", "http://127.0.0.1:9")
    assert [each for each in ENVIRONMENT if each in shown] == [name.upper()]
    assert "'se'" not in shown  # of the password


def test_a_key_that_no_header_holds(refused: Callable) -> None:
    shown = refused("colorize", "nothing.jpg", "--server", "http://127.0.0.1:9", "--api-key", "sécret")
    assert "expected ASCII characters" in shown
    assert "sécret" not in shown


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("DEVICE", "gpu", "got 'gpu'"), ("MAX_PIXELS", "abc", "got 'abc'"), ("RATE_LIMIT", "ten", "got 'ten'")),
        ("RATE_LIMIT", "10/second", "TINTFLOW_RATE_LIMIT and TINTFLOW_METRICS_NEED_KEY need a TINTFLOW_API_KEYS_FILE"),
        ("METRICS_NEED_KEY", "true", "TINTFLOW_RATE_LIMIT and TINTFLOW_METRICS_NEED_KEY need a TINTFLOW_API_KEYS_FILE"),
    ],
)
def test_a_setting_that_is_wrong(refused: Callable, name: str, value: str, expected: str, monkeypatch) -> None:
    monkeypatch.setenv(f"TINTFLOW_{name}", value)
    said = refused("models")
    assert f"TINTFLOW_{name}" in said
    assert expected in said
    assert "pydantic" not in said

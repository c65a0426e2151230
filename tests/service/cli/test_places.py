"""Photos and folders that cannot be used are refused before anything is loaded."""

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from service.client.client import ENVIRONMENT


@pytest.fixture
def refused(run: Callable, load: Mock, folder: Path, photo: Path, monkeypatch) -> Callable[..., str]:
    """A function that runs a command that must end with status 2, and load and write nothing; returns what it says."""
    Path("notes").touch()
    Path("empty").mkdir()
    monkeypatch.setenv("COLUMNS", "300")

    def invoke(*words: object) -> str:
        before = set(folder.rglob("*"))
        said: str = run(*words, status=2).stderr
        assert set(folder.rglob("*")) == before
        load.assert_not_called()
        return said

    return invoke


@pytest.mark.parametrize("words", [["x.gif"], ["-o", "x.gif"], ["-o", "new/x.TIFF"], ["-o", "x.pdf"]])
@pytest.mark.parametrize("command", ["colorize", "variations"])
def test_a_format_that_is_not_written(refused: Callable, photo: Path, words: list[str], command: str) -> None:
    seed = ["--seed", "7", "--index", "0"] if command == "variations" else []
    said = refused(command, photo, *words, *seed)
    assert "no format that tintflow writes" in said
    assert ".jpeg, .jpg, .png or .webp" in said


def test_a_folder_may_look_like_a_file_if_it_is_there(run: Callable, photo: Path) -> None:
    Path("x.gif").mkdir()
    run("colorize", photo, "-n", 1, "-o", "x.gif")
    run("colorize", photo, "-n", 1, "-o", "scans.2026")
    assert list(Path("x.gif").glob("photo-*.jpg"))
    assert list(Path("scans.2026").glob("photo-*.jpg"))


def test_a_new_folder_in_the_place_of_a_photo(refused: Callable, photo: Path) -> None:
    assert "for a new output folder, give -o colored" in refused("colorize", photo, "colored")


@pytest.mark.parametrize("out", ["notes", "notes/below", "notes/below/x.jpg", "notes/x.jpg"])
def test_a_file_in_the_place_of_a_folder(refused: Callable, photo: Path, out: str) -> None:
    assert "notes is a file, not a folder" in refused("colorize", photo, "-n", 1, "-o", out)
    assert "notes is a file, not a folder" in refused("watch", "empty", "-o", "notes")


@pytest.mark.parametrize("out", ["new", "new/x.jpg"])
def test_a_folder_that_cannot_be_made(refused: Callable, photo: Path, out: str, monkeypatch) -> None:
    monkeypatch.setattr(Path, "mkdir", Mock(side_effect=PermissionError(13, "Permission denied")))
    assert "the folder new cannot be made: Permission denied" in refused("colorize", photo, "-n", 1, "-o", out)


@pytest.mark.parametrize("out", ["empty", "empty/x.jpg"])
def test_a_folder_that_cannot_be_written(refused: Callable, photo: Path, out: str, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)  # root may write anywhere
    assert "the folder empty cannot be written to" in refused("colorize", photo, "-n", 1, "-o", out)


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


@pytest.mark.parametrize("words", [("colorize", "photo.png"), ("models",)])
def test_a_url_that_is_none(refused: Callable, words: tuple[str, ...]) -> None:
    said = refused(*words, "--server", "localhost:8000")
    assert "expected a URL such as http://localhost:8000, without ? or #, got localhost:8000" in said


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


@pytest.mark.parametrize(("name", "value"), [("DEVICE", "gpu"), ("MAX_PIXELS", "abc"), ("RATE_LIMIT", "ten")])
def test_a_setting_that_is_wrong(refused: Callable, name: str, value: str, monkeypatch) -> None:
    monkeypatch.setenv(f"TINTFLOW_{name}", value)
    said = refused("models")
    assert f"TINTFLOW_{name}: " in said
    assert f"got '{value}'" in said
    assert "pydantic" not in said


def test_settings_that_contradict_each_other(refused: Callable, monkeypatch) -> None:
    monkeypatch.setenv("TINTFLOW_RATE_LIMIT", "10/second")
    assert "TINTFLOW_RATE_LIMIT and TINTFLOW_METRICS_NEED_KEY need a TINTFLOW_API_KEYS_FILE" in refused("models")


@pytest.mark.parametrize("words", [(".", "-o", "."), ("*.png", "-o", "."), ("empty", "-o", ".")])
def test_an_output_folder_that_holds_the_photos(refused: Callable, photo: Path, words: tuple[str, ...]) -> None:
    assert "the output folder . holds it; choose another" in refused("colorize", *words)
    if not words[0].startswith("*"):
        assert ". holds the photos" in refused("watch", *words)


def test_likelihoods_of_colorings(run: Callable, photo: Path) -> None:
    run("colorize", photo, "-n", 1, "--seed", 7)
    assert "out/photo-7-0.jpg" in run("likelihood", "out").stdout


@pytest.mark.parametrize("words", [("-", "-o", "new/"), ("-", "photo.png", "missing.png")])
def test_standard_input_needs_a_file(refused: Callable, words: tuple[str, ...]) -> None:
    assert "the coloring of standard input needs a file" in refused("colorize", *words)


def test_a_pipe_goes_into_one_file(refused: Callable) -> None:
    os.mkfifo("pipe")
    assert "pipe\tnot a file; for one coloring, give a second name" in refused("colorize", "pipe", "-n", 1)
    assert "give n=1" in refused("colorize", "-", "-n", 2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("colorize", "empty"), "one file cannot hold colorings of several photos; give a folder"),
        (("colorize", "*.png"), "one file cannot hold colorings of several photos; give a folder"),
        (("colorize", "photo.png", "photo.png"), "one file cannot hold colorings of several photos; give a folder"),
        (("colorize", "photo.png", "-n", "2"), "one file holds one coloring; give a folder, or n=1"),
        (("colorize", "photo.png", "-f", "png"), "x.jpg has the suffix of another format"),
        (("colorize", "photo.png", "--sheet"), "a contact sheet needs a folder"),
        (("colorize", "missing.png"), "missing.png: No such file or directory"),
        (("interpolations", "photo.png", "--seed", "7", "--index", "0"), "one file cannot hold several colorings"),
    ],
)
def test_what_one_file_cannot_hold(refused: Callable, words: tuple[str, ...], expected: str) -> None:
    assert expected in refused(*words, "-o", "x.jpg")

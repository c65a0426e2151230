"""One photo into one file, and from standard input to standard output."""

import errno
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.service.cli.programs import started, tintflow
from tests.service.files import opened

SEED = ("--seed", "7")


@pytest.fixture
def expected(run: Callable, photo: Path) -> bytes:
    run("colorize", photo, "-n", "1", *SEED, "-o", "folder")
    return Path("folder/photo-7-0.jpg").read_bytes()


def there() -> set[str]:
    return {file.as_posix() for file in Path().rglob("*") if file.is_file()}


@pytest.mark.parametrize("words", [("photo.png", "new/result.jpg"), ("photo.png", "-o", "new/result.jpg")])
def test_a_photo_and_a_file(run: Callable, expected: bytes, words: tuple[str, ...]) -> None:
    before = there()
    said = run("colorize", *words, *SEED).stderr
    assert Path("new/result.jpg").read_bytes() == expected
    assert there() - before == {"new/result.jpg"}  # neither a record nor a partial file
    assert "photo.png → new/result.jpg" in said
    assert "seed 7" in said


@pytest.mark.parametrize(("name", "kind"), [("a.jpeg", "JPEG"), ("a.PNG", "PNG"), ("a.webp", "WEBP")])
def test_the_name_says_the_format(run: Callable, photo: Path, name: str, kind: str) -> None:
    run("colorize", photo, name)
    image = opened(Path(name).read_bytes())
    assert (image.format, image.size) == (kind, (40, 24))


def test_a_file_is_written_over_only_if_told(run: Callable, expected: bytes) -> None:
    Path("result.jpg").write_bytes(b"mine")
    said = run("colorize", "photo.png", "-o", "result.jpg", *SEED, status=1).stderr
    assert "--overwrite" in said
    assert Path("result.jpg").read_bytes() == b"mine"
    run("colorize", "photo.png", "-o", "result.jpg", *SEED, "--overwrite", "-f", "jpeg")
    assert Path("result.jpg").read_bytes() == expected


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_two_photos_that_are_there_may_be_photo_and_output(run: Callable, photo: Path, more: tuple[str, ...]) -> None:
    run("colorize", photo, "other.png", *SEED)
    other = Path("other.png").read_bytes()
    said = run("colorize", photo, "other.png", *SEED, *more, status=2).stderr  # the same command once more
    assert "other.png exists" in said
    assert there() == {"photo.png", "other.png"}
    run("colorize", photo, "other.png", "-n", "1", *SEED, *more, "-o", "out/")
    assert {"out/photo-7-0.jpg", "out/other-7-0.jpg"} <= there()
    assert Path("other.png").read_bytes() == other
    run("colorize", photo, "-o", "other.png", "--seed", "8", "--overwrite")
    assert Path("other.png").read_bytes() != other


@pytest.mark.parametrize(
    "words",
    [
        ("interpolations", *SEED, "--index", "0", "--to-index", "2", "--steps", "2"),
        ("colorize", *SEED, "-n", "2"),
        ("colorize", *SEED, "--sheet"),
        ("colorize", *SEED, "-f", "png"),
    ],
)
def test_what_one_file_cannot_hold_colors_both_photos(run: Callable, photo: Path, words: tuple[str, ...]) -> None:
    command, *options = words
    other = photo.read_bytes()
    Path("other.jpg").write_bytes(other)
    run(command, photo, "other.jpg", *options)
    assert Path("other.jpg").read_bytes() == other
    assert {Path(file).name.split("-")[0] for file in there() if file.startswith("out/")} >= {"photo", "other"}


def test_behind_standard_input_only_replacing_is_advised(run: Callable, expected: bytes) -> None:
    photo = Path("photo.png").read_bytes()
    Path("other.jpg").write_bytes(b"mine")
    said = run("colorize", "-", "other.jpg", *SEED, status=2).stderr
    assert "--overwrite" in said
    assert "both" not in said
    assert Path("other.jpg").read_bytes() == b"mine"
    assert "one coloring" in run("colorize", "-", "other.jpg", *SEED, "-n", "2", status=2).stderr
    run("colorize", "-", "-o", "other.jpg", "--overwrite", *SEED, stdin=photo)
    assert Path("other.jpg").read_bytes() == expected


def test_standard_input_and_output(run: Callable, expected: bytes) -> None:
    photo = Path("photo.png").read_bytes()
    for words in (["-"], ["-", "-"], ["-", "-o", "-"]):
        result = run("colorize", *words, *SEED, stdin=photo)
        assert result.stdout_bytes == expected
        assert "standard input → standard output   seed 7" in result.stderr
    result = run("colorize", "photo.png", "-", *SEED, "-f", "png")
    assert "photo.png → standard output" in result.stderr
    assert opened(result.stdout_bytes).format == "PNG"
    assert "standard input → new.jpg" in run("colorize", "-", "new.jpg", *SEED, stdin=photo).stderr
    assert Path("new.jpg").read_bytes() == expected


def test_a_full_disk_is_one_line(run: Callable, photo: Path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    assert run("colorize", photo, "new.jpg", status=2).stderr == "new.jpg: No space left on device\n"
    assert there() == {"photo.png"}


def test_a_pipe_is_a_photo(run: Callable, expected: bytes, photo: Path, pool: Executor) -> None:
    os.mkfifo("pipe")
    pool.submit(Path("pipe").write_bytes, photo.read_bytes())
    run("colorize", "pipe", "piped.jpg", *SEED)
    assert Path("piped.jpg").read_bytes() == expected
    pool.submit(Path("pipe").write_bytes, photo.read_bytes())
    assert "pipe\t4.750" in run("likelihood", "pipe").stdout


def test_ctrl_c_ends_the_wait_for_a_pipe() -> None:
    os.mkfifo("pipe")
    for command in (("likelihood", "pipe"), ("colorize", "pipe", "new.jpg")):
        with started(tintflow(*command)) as process, Path("pipe").open("wb"):  # which waits until it is read
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 130


def test_standard_output_holds_no_log_and_the_log_no_local_variables(service, run: Callable, photo: Path) -> None:
    service.colorizer.error = RuntimeError("odd")
    result = run("colorize", photo, "-", status=2)
    assert result.stdout == ""
    assert "RuntimeError: odd" in result.stderr
    assert len(result.stderr) < 20_000, "local variables are in it"
    assert "\x1b" not in result.stderr, "colors are for terminals"


@pytest.mark.parametrize(
    ("words", "closed", "status", "stderr"),
    [
        (["photo.png", "new.png"], "<&- >&- 2>&-", 0, ""),
        (["-", "new.png"], "<&-", 2, "image: the file is empty\n"),
    ],
)
def test_closed_streams_are_empty(photo: Path, words: list[str], closed: str, status: int, stderr: str) -> None:
    with started(["sh", "-c", f'exec "$@" {closed}', "sh", *tintflow("colorize", *words)]) as process:
        assert process.communicate(timeout=60)[1] == stderr
    assert process.returncode == status
    assert Path("new.png").exists() is (status == 0)


def test_variations_and_transfers_into_one_file(run: Callable, photo: Path) -> None:
    said = run("variations", photo, "like.png", *SEED, "--index", "1").stderr
    noise_seed = said.partition("seed 7, noise seed ")[2].partition(",")[0]  # it reproduces the variations
    run("variations", photo, "again.png", *SEED, "--index", "1", "--noise-seed", noise_seed)
    assert Path("again.png").read_bytes() == Path("like.png").read_bytes()
    run("transfer", photo, "colored.png", "-r", photo)
    assert {"like.png", "colored.png"} <= there()


def test_the_model_is_announced_on_a_terminal_alone(run: Callable, photo: Path, monkeypatch) -> None:
    assert "loading" not in run("colorize", photo, "quiet.jpg").stderr
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich assume a terminal
    assert "loading the model…" in run("colorize", photo, "told.jpg").stderr

"""Resuming: finished photos are skipped, existing files kept, failures reported, and other photos colored."""

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from PIL import Image

from model.errors import CheckpointError
from service.errors import QueueFullError
from service.scheduling.backlog import Backlog, Place
from tests.service.cli.programs import started, tintflow
from tests.service.waiting import eventually

GONE = httpx.ConnectError("refused")
USED_UP = {"json": {"detail": "1000 an hour"}, "headers": {"Retry-After": "1800"}}


@pytest.fixture
def photos(folder: Path) -> list[str]:
    for shade, name in enumerate("abc"):
        Image.new("L", (12, 8), 60 * shade + 30).save(f"{name}.png")
    return ["a.png", "b.png", "c.png"]


def state() -> dict[str, tuple[bytes, int]]:
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns)
        for file in Path("out").iterdir()
        if file.suffix != ".jsonl"
    }


def test_what_is_done_is_skipped(service, run: Callable, photos: list[str]) -> None:
    run("colorize", *photos[:2], "-n", "2")
    before, calls = state(), len(service.colorizer.options)
    result = run("colorize", *photos, "-n", "2")
    assert "2 done before, 1 to do" in result.stdout
    colored = [options for options in service.colorizer.options[calls:] if options.n == 2]
    assert len(colored) == 1
    after = state()
    assert {name: after[name] for name in before} == before
    assert len(after) == 6
    assert len({name.split("-")[1] for name in after}) == 1  # one seed for all, drawn once


def test_names_as_long_as_the_file_system_allows(service, run: Callable, photos: list[str]) -> None:
    """Photos whose names differ in the last letter get colorings of different names, which the next call finds."""
    long = [f"{'ä' * 125}{letter}.png" for letter in "ab"]  # 255 bytes
    for photo, name in zip(photos, long, strict=False):
        Path(photo).rename(name)
    run("colorize", long[0], f"{'c' * 251}.jpg")
    assert Path(f"{'c' * 251}.jpg").exists()
    for command in (["colorize"], ["transfer", "--reference", long[0]]):
        command += [*long, "-n", "1", "--seed", "7", "-o", "out/"]
        run(*command)
        made = state()
        assert "2 done before, 0 to do" in run(*command).stdout
        assert state() == made
    assert len(made) == 4
    assert all(len(os.fsencode(name)) in (252, 253) and name.endswith("-7-0.jpg") for name in made)  # 255 with -63.webp
    assert all(set(name.partition("~")[0]) == {"ä"} for name in made)  # whole characters
    Path("out/tintflow.jsonl").unlink()
    assert "--overwrite" in run(*command, status=1).stderr
    assert state() == made


def test_other_options_and_a_changed_photo_are_other_work(run: Callable, photos: list[str]) -> None:
    run("colorize", "a.png", "-n", "1", "--seed", "7")
    before = state()
    result = run("colorize", "a.png", "-n", "1", "--seed", "7", "-t", "1", status=1)
    assert "--overwrite" in result.stderr
    Image.new("L", (12, 8), 200).save("a.png")
    result = run("colorize", "a.png", "-n", "1", "--seed", "7", status=1)
    assert "before the photo changed" in " ".join(result.stderr.split())
    assert state() == before
    run("colorize", "a.png", "-n", "1", "--seed", "7", "-t", "1", "--overwrite")
    assert state().keys() == before.keys()
    assert state() != before
    run("colorize", "a.png", "-n", "1", "--seed", "8", "-t", "1")
    assert len(state()) == 2


def test_photos_that_moved_are_done_and_copies_are_other_photos(service, run: Callable, photos: list[str]) -> None:
    for name in ("scans", "copies"):
        Path(name).mkdir()
        shutil.copy2("a.png", f"{name}/a.png")
    run("colorize", "scans", "-n", "1", "--seed", "7")
    before = state()
    result = run("colorize", "copies", "-n", "1", "--seed", "7", status=1)
    assert "of another photo or with other options" in " ".join(result.stderr.split())
    Path("scans").rename("moved")
    assert run("colorize", "moved", "-n", "1", "--seed", "7").stdout.startswith("1 done before, 0 to do")
    assert state() == before
    os.utime("moved/a.png")
    run("colorize", "moved", "-n", "1", "--seed", "7", status=1)


def test_a_photo_is_done_although_another_of_its_stem_came(service, run: Callable, photos: list[str]) -> None:
    Path("scans").mkdir()
    shutil.copy2("a.png", "scans/a.png")
    run("colorize", "scans", "-n", "1", "--seed", "7")
    Image.open("b.png").save("scans/a.tif")
    assert run("colorize", "scans", "-n", "1", "--seed", "7").stdout.startswith("1 done before, 1 to do")
    assert set(state()) == {"a-7-0.jpg", "a.tif-7-0.jpg"}


def test_some_photos_of_a_folder_go_where_all_would_with_its_base(service, run: Callable, photos: list[str]) -> None:
    for name in ("box", "tin"):
        Path("scans", name).mkdir(parents=True)
        shutil.copy2("a.png", f"scans/{name}/a.png")
    some = ["scans/box/a.png", "scans/box/../tin/a.png"]
    run("colorize", *some, "-n", "1", "--seed", "7", "--base", "scans", "-o", "out/")
    assert {file.as_posix() for file in Path("out").rglob("*.jpg")} == {"out/box/a-7-0.jpg", "out/tin/a-7-0.jpg"}
    assert run("colorize", "scans", "-n", "1", "--seed", "7").stdout.startswith("2 done before, 0 to do")
    result = run("colorize", *some, "b.png", "-n", "1", "--seed", "7", "--base", "scans", "-o", "out/", status=1)
    assert "not below the base" in " ".join(result.stderr.split())
    run("colorize", some[0], "one.jpg", "--base", "scans", status=2)


def test_colorings_of_different_models_are_told_of(service, run: Callable, photos: list[str]) -> None:
    assert "models" not in run("colorize", "a.png", "b.png", "-n", "1", "--seed", "7", "-o", "out/").stderr
    record = Path("out/tintflow.jsonl")
    record.write_text(record.read_text().replace("fake-1", "fake-0"))
    said = run("colorize", *photos, "-n", "1", "--seed", "7").stderr
    assert "2 by fake-0, 1 by fake-1" in said


def test_colorings_of_weights_of_the_same_name_are_told_of(
    service, run: Callable, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("-n", "1", "--seed", "7", "-o", "out/")
    run("colorize", "a.png", *options)
    record = Path("out/tintflow.jsonl")
    record.write_text(record.read_text().replace('"' + 64 * "0" + '"', "null"))  # as version 1.0 recorded it
    assert "models" not in run("colorize", "a.png", "b.png", *options).stderr
    monkeypatch.setattr(service.colorizer, "info", replace(service.colorizer.info, sha256="1" * 64))
    said = run("colorize", *photos, *options).stderr
    assert "2 by fake-1 (sha256 00000000…), 1 by fake-1 (sha256 11111111…)" in said


def test_a_changed_reference_is_other_work(run: Callable, photos: list[str]) -> None:
    command = ("transfer", "a.png", "-r", "b.png", "-n", "1", "--seed", "7")
    run(*command)
    assert run(*command).stdout.startswith("1 done before, 0 to do")
    Image.new("RGB", (12, 8), (200, 120, 40)).save("b.png")
    assert "--overwrite" in run(*command, status=1).stderr
    run(*command, "--overwrite")
    assert run(*command).stdout.startswith("1 done before, 0 to do")


@pytest.mark.parametrize("seed", [["--seed", "7"], []])
def test_a_reference_that_version_1_0_recorded_is_known(run: Callable, photos: list[str], seed: list[str]) -> None:
    command = ("transfer", "a.png", "-r", "b.png", "-n", "1", *seed)
    run(*command)
    record = Path("out/tintflow.jsonl")
    entry = json.loads(record.read_text())
    entry["asked"]["reference"] = "b.png"
    record.write_text(json.dumps(entry) + "\n")
    assert run(*command).stdout.startswith("1 done before, 0 to do")


def test_bad_files_and_files_in_the_way_are_told_of_and_the_others_are_done(
    service, run: Callable, photos: list[str]
) -> None:
    Path("text.jpg").write_text("only text")
    Path("empty.png").touch()
    Path("out").mkdir()
    Path("out/b-7-1.jpg").write_text("mine")
    bad = ["text.jpg", "missing.png", "empty.png"]
    result = run("colorize", *bad, *photos, "-n", "2", "--seed", "7", status=1)
    assert "4 not done" in result.stderr
    for name in (*bad, "out/b-7-1.jpg"):
        assert name in result.stderr.replace("\n", "")
    assert Path("out/b-7-1.jpg").read_text() == "mine"
    assert sorted(state()) == ["a-7-0.jpg", "a-7-1.jpg", "b-7-1.jpg", "c-7-0.jpg", "c-7-1.jpg"]
    assert len(service.colorizer.photos) == 2  # b was not even tried


def test_the_setting_that_allows_larger_photos_is_named_if_it_is_of_this_process(
    service, run: Callable, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINTFLOW_MAX_BYTES", str(Path("a.png").stat().st_size - 1))
    result = run("colorize", "a.png", "-n", "1", status=1)
    assert "set TINTFLOW_MAX_BYTES to allow more" in " ".join(result.stderr.split())


def test_many_photos_do_not_each_look_into_the_output_folder(run: Callable, photos: list[str], monkeypatch) -> None:
    looked: list[Path] = []
    look = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: looked.append(folder) or look(folder))
    run("colorize", *photos, "-n", "1", "--seed", "7")
    assert looked.count(Path("out")) == 1


def test_half_a_photo_is_made_whole(run: Callable, photos: list[str]) -> None:
    run("colorize", "a.png", "-n", "3")
    whole = {name: data for name, (data, _) in state().items()}
    Path("out", sorted(whole)[1]).unlink()
    run("colorize", "a.png", "-n", "3")
    assert {name: data for name, (data, _) in state().items()} == whole


def test_a_torn_record_is_none(run: Callable, photos: list[str]) -> None:
    run("colorize", "a.png", "b.png", "-n", "1", "-o", "out")
    record = Path("out/tintflow.jsonl")
    record.write_bytes(b"\xe9\0\n" + record.read_bytes()[:-40])
    result = run("colorize", "a.png", "b.png", "-n", "1", "-o", "out", status=1)  # b's files are in the way
    assert "1 done before" in result.stdout
    run("colorize", "c.png", "-n", "1", "-o", "out")
    assert "1 done before" in run("colorize", "c.png", "-n", "1", "-o", "out").stdout  # recorded on a separate line


def test_a_full_queue_is_waited_for(run: Callable, photos: list[str], monkeypatch) -> None:
    refusals = iter([QueueFullError("full", 0)] * 10)
    enter = Backlog.enter

    def refusing(backlog: Backlog, owner: str = "") -> Place:
        for refusal in refusals:
            raise refusal
        return enter(backlog, owner)

    monkeypatch.setattr(Backlog, "enter", refusing)
    run("colorize", *photos, "-n", "1", "--seed", "7", "--at-once", "2")
    assert sorted(state()) == ["a-7-0.jpg", "b-7-0.jpg", "c-7-0.jpg"]


def test_no_part_is_left_when_writing_fails(run: Callable, photos: list[str], monkeypatch) -> None:
    monkeypatch.setattr("service.client.record.Record.add", Mock(side_effect=OSError("disk full")))
    assert "disk full" in run("colorize", "a.png", status=1).stderr
    assert not list(Path("out").iterdir())


@pytest.mark.parametrize("named", [["out/.a-7-0.jpg.part"], []], ids=["opened", "written"])
def test_a_full_disk_ends_it_at_once(service, run: Callable, photos: list[str], monkeypatch, named: list[str]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", *named)
    monkeypatch.setattr(Path, "write_bytes", Mock(side_effect=full))
    result = run("colorize", *photos, "-n", "1", "--seed", "7", "--at-once", "1", status=2)
    assert result.stderr == "a.png: out/a-7-0.jpg: No space left on device\n"
    assert len(service.colorizer.photos) == 1


def test_what_is_no_server_of_ours_ends_it_soon(service, run: Callable, photos: list[str], waits: list[float]) -> None:
    for url, why in (("http://127.0.0.1:9", "127.0.0.1:9"), (f"{service.client.base_url}/wrong", "/wrong")):
        result = run("colorize", *photos, "--url", url, status=2)
        assert len(result.stderr.splitlines()) == 1
        assert why in result.stderr
    assert sum(waits) < 5


def test_a_model_that_cannot_be_loaded_is_one_line(run: Callable, load: Mock, photos: list[str]) -> None:
    load.side_effect = CheckpointError("weights.safetensors: damaged")
    assert run("colorize", *photos, status=2).stderr == "weights.safetensors: damaged\n"


HELD = """
import time
from pathlib import Path
enter = FakeColorizer._enter
def hold(*asked):  # works on one photo, and holds the next for as long as there is a file `hold`
    while list(Path("out").glob("*.jpg")) and Path("hold").exists():
        time.sleep(0.01)
    enter(*asked)
FakeColorizer._enter = hold
"""


def test_ctrl_c_and_the_same_command_goes_on(run: Callable) -> None:
    Path("in").mkdir()
    for shade in range(4):
        Image.new("L", (12, 8), 20 * shade + 30).save(f"in/{shade}.png")
    hold = Path("hold")
    hold.touch()
    command = ("colorize", "in", "-n", "2", "--seed", "7", "--at-once", "1")
    with started(tintflow(*command, more=HELD)) as process:
        eventually(lambda: len(list(Path("out").glob("*.jpg"))) >= 2)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "stopped; the same command goes on from here\n"
        hold.unlink()
        assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 130
    before = state()
    assert sorted(before) == ["0-7-0.jpg", "0-7-1.jpg"]  # a whole photo, and no part of another
    run(*command)
    after = state()
    assert len(after) == 8
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("command", "device", "why"),
    [(["colorize"], "/dev/full", "No space left on device"), (["watch", "--every", "0.2"], None, "Broken pipe")],
)
def test_a_standard_output_that_cannot_be_written_ends_it_and_what_is_done_counts(
    folder: Path, photo: Path, command: list[str], device: str | None, why: str
) -> None:
    Path("in").mkdir()
    photo.rename("in/photo.png")
    words = tintflow(*command, "in", "-n", "1", "--seed", "7")
    with started(words if device is None else ["sh", "-c", f'exec "$@" >{device}', "sh", *words]) as process:
        process.stdout.close()
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr.splitlines()[-1]) == (2, f"standard output: {why}")
    assert "Traceback" not in stderr
    assert "done" not in stderr
    assert sorted(state()) == ["photo-7-0.jpg"]


def test_a_name_that_is_not_utf_8(folder: Path, run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    photo = os.fsencode(folder) + b"/in/caf\xe9.png"
    Path("in").mkdir()
    Image.new("L", (12, 8), 90).save(Path(os.fsdecode(photo)))
    command = ("colorize", "in", "-n", "1", "--seed", "7", "--sheet")
    with started(tintflow(*command)) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert stdout.startswith(r"in/caf\udce9.png → out/caf\udce9-7-0.jpg")
    assert os.fsencode(folder) + b"/out/caf\xe9-7-0.jpg" in map(os.fsencode, (folder / "out").iterdir())
    assert run(*command).stdout.startswith("1 done before, 0 to do")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("tick", "outcomes", "expected"),
    [
        # shorter waits are not reported
        (
            0,
            [GONE] * 6 + [USED_UP] * 4,
            ["URL: refused; the next try is in 16 s", "1000 an hour; the next try is in 1800 s"],
        ),
        (1, [None] + [GONE] * 12, ["URL: refused; the next try is in 1 s"]),
    ],
    ids=["long waits", "a restart, though each wait is short"],
)
def test_a_server_is_waited_for_and_why_is_told_once_if_it_takes_long(
    service, run: Callable, photos: list[str], monkeypatch, tick: int, outcomes: list, expected: list[str]
) -> None:
    clock, outcomes_left = count(0, tick), iter(outcomes)
    monkeypatch.setattr("service.cli.batch.time", Mock(monotonic=lambda: float(next(clock))))
    connect = httpx.AsyncHTTPTransport.handle_async_request

    async def failing(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        outcome = next(outcomes_left, None) if request.method == "POST" else None
        if isinstance(outcome, Exception):
            raise outcome
        return await connect(self, request) if outcome is None else httpx.Response(429, **outcome)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", failing)
    url = str(service.client.base_url)
    told = run("colorize", *photos, "-n", "1", "--seed", "7", "--at-once", "1", "--url", url).stderr.splitlines()
    assert told == [line.replace("URL", f"{url}/v1/colorizations") for line in expected]
    assert next(outcomes_left, None) is None
    assert len(state()) == 3

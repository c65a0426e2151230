"""`tintflow watch` colors photos as they appear."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from model.errors import NonFiniteError
from service.cli.colorings import CommandAsked, CommandMaker
from service.cli.watching import Watcher
from service.client import AsyncClient, ConnectionFailedError
from service.client.record import Record
from tests.service.cli.programs import started, tintflow
from tests.service.waiting import until

SECONDS = 0.05
PATIENCE_SECONDS = 60
OUT = Path("out")


def colored() -> set[str]:
    return {file.name for file in OUT.glob("*.jpg")}


@asynccontextmanager
async def watching(service) -> AsyncIterator[list[tuple[str, bool]]]:
    """Watch the folder `in` in this context; yield the watcher's messages."""
    fields = {"n": 1, "seed": 7, "output_format": "jpeg", "output_compression": 90}
    asked = CommandAsked(fields, fields, "7", AsyncClient.colorizations, True, False)
    maker = CommandMaker(OUT, Record(OUT), asked, False)
    told: list[tuple[str, bool]] = []
    watcher = Watcher(Path("in"), maker, 2, SECONDS, lambda line, failed: told.append((line, failed)))
    async with AsyncClient(str(service.client.base_url), retries=0) as client, asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run(client))
        yield told
        task.cancel()


@pytest.fixture
def png(photo: Path) -> bytes:
    Path("in").mkdir()
    OUT.mkdir()
    return photo.read_bytes()


async def test_photos_are_colored_as_they_appear(service, png: bytes) -> None:
    Path("in/first.png").write_bytes(png)
    async with watching(service) as told:
        await until(lambda: colored() == {"first-7-0.jpg"})
        Path("in/sub").mkdir()
        Path("in/sub/second.png").write_bytes(png)
        await until(lambda: (OUT / "sub/second-7-0.jpg").exists())
        await asyncio.sleep(3 * SECONDS)
        assert len(service.colorizer.photos) == 2  # each once
        before = (OUT / "first-7-0.jpg").read_bytes()
        Image.new("L", (12, 8), 200).save("in/first.png")
        await until(lambda: (OUT / "first-7-0.jpg").read_bytes() != before)  # a changed photo is colored again
        assert not [line for line, failed in told if failed]
    assert len(service.colorizer.photos) == 3
    async with watching(service):
        await asyncio.sleep(5 * SECONDS)
    assert len(service.colorizer.photos) == 3  # nor after a new start


async def test_a_photo_that_is_still_written_is_left_alone(service, png: bytes) -> None:
    async with watching(service) as told:
        with Path("in/slow.png").open("wb") as file:
            for start in range(0, len(png), 1 + len(png) // 12):
                file.write(png[start : start + 1 + len(png) // 12])
                file.flush()
                await asyncio.sleep(SECONDS / 3)
        await until(lambda: colored() == {"slow-7-0.jpg"})
        assert not [line for line, failed in told if failed]


async def test_a_bad_file_and_one_in_the_way_are_told_of_once_and_tried_again(service, png: bytes) -> None:
    for name, content in (("bad", b"no image"), ("good", png), ("late", png)):
        Path(f"in/{name}.png").write_bytes(content)
    in_the_way = OUT / "late-7-0.jpg"
    in_the_way.touch()
    async with watching(service) as told:
        await until(lambda: len(told) == 3)
        await asyncio.sleep(4 * SECONDS)
        assert sorted(line.partition(".png")[0] for line, failed in told if failed) == ["in/bad", "in/late"]
        assert len(told) == 3
        assert not [line for line, _ in told if "tried again" in line]  # before it changes
        Path("in/bad.png").write_bytes(png)
        in_the_way.unlink()
        await until(lambda: colored() == {"bad-7-0.jpg", "good-7-0.jpg", "late-7-0.jpg"})


async def test_a_photo_is_tried_again_after_a_passing_error(service, png: bytes) -> None:
    async with watching(service) as told:
        service.colorizer.error = NonFiniteError("no number")
        Path("in/a.png").write_bytes(png)
        await until(lambda: len(service.colorizer.photos) >= 2)
        assert [failed for _, failed in told] == [True]  # once
        service.colorizer.error = None
        await until(lambda: colored() == {"a-7-0.jpg"})


async def test_a_folder_that_cannot_be_read_is_told_of_once_and_tried_again(
    service, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in/sub").mkdir()
    Path("in/a.png").write_bytes(png)
    Path("in/sub/b.png").write_bytes(png)

    def refuse(folder: str | Path) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    scandir = os.scandir
    async with watching(service) as told:
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", lambda folder: (refuse if folder == "in/sub" else scandir)(folder))
            patch.setattr(CommandMaker, "_numbered", lambda self, folder: refuse(folder))
            await until(lambda: len(told) == 2)
            await asyncio.sleep(4 * SECONDS)
        assert set(told) == {("in/sub: Permission denied", True), ("in/a.png: out: Permission denied", True)}
        await until(lambda: colored() == {"a-7-0.jpg"} and (OUT / "sub/b-7-0.jpg").exists())


async def test_a_folder_that_goes_is_told_of_once_and_looked_for_again(service, png: bytes) -> None:
    async with watching(service) as told:
        Path("in").rename("away")
        await until(lambda: len(told) == 1)
        await asyncio.sleep(4 * SECONDS)
        assert told == [("in: the folder is gone; looking for it again", True)]
        Path("away").rename("in")
        Path("in/a.png").write_bytes(png)
        await until(lambda: colored() == {"a-7-0.jpg"})


async def test_a_server_that_is_gone_ends_it(service, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in/a.png").write_bytes(png)
    monkeypatch.setattr(service.client, "base_url", "http://127.0.0.1:9")
    with pytest.raises(ExceptionGroup) as caught:
        async with watching(service):
            await asyncio.sleep(PATIENCE_SECONDS)
    assert caught.group_contains(ConnectionFailedError)


def test_sigterm_ends_it_cleanly_as_ctrl_c_does_and_colorize_goes_on(run: Callable, png: bytes) -> None:
    Path("in/a.png").write_bytes(png)
    with started(tintflow("watch", "in", "-n", "1", "--seed", "7", "--every", "0.2")) as process:
        assert "in/a.png → out/a-7-0.jpg" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, told.splitlines()[-1]) == (0, "stopped")
    assert not [file for file in OUT.rglob("*") if file.name.endswith(".part")]
    assert run("colorize", "in", "-n", "1", "--seed", "7").stdout.startswith("1 done before, 0 to do")

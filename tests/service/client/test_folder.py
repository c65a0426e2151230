"""Folders through the client: progress, an early end, and repeated calls."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing, closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model.errors import OutOfMemoryError
from service.api.formats import PHOTO_FORMATS
from service.client import AsyncClient, Client, FolderPhoto, InvalidParameterError
from service.codecs.decoding import FORMATS
from tests.service.waiting import eventually

PHOTOS = 5
Take = Callable[..., list[FolderPhoto]]


def blocking(url: str, *arguments: Any, most: int = 1000, **fields: Any) -> list[FolderPhoto]:
    with Client(url, retries=0) as client, closing(client.folder(*arguments, **fields)) as results:
        return list(islice(results, most))


def asynchronous(url: str, *arguments: Any, most: int = 1000, **fields: Any) -> list[FolderPhoto]:
    async def run() -> list[FolderPhoto]:
        taken: list[FolderPhoto] = []
        async with AsyncClient(url, retries=0) as client, aclosing(client.folder(*arguments, **fields)) as results:
            while len(taken) < most and (each := await anext(results, None)):
                taken.append(each)
        return taken

    return asyncio.run(run())


@pytest.fixture(params=[blocking, asynchronous])
def take(service, request: pytest.FixtureRequest) -> Take:
    """A function that calls `folder`, and returns all results, or the first `most`."""
    url = str(service.client.base_url)
    return lambda *arguments, **fields: request.param(url, *arguments, **fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    for i in range(PHOTOS):
        Image.new("L", (12, 8), 30 * i + 30).save(photos / (f"{i}.png" if i else "sub/0.png"))
    (photos / "notes.txt").touch()
    return photos


def names(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {"tintflow.jsonl"}


def test_every_photo_with_progress(take: Take, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = take(str(folder), str(out), n=2, seed=7)
    assert [(each.number, each.total) for each in results] == [(i, PHOTOS) for i in range(1, PHOTOS + 1)]
    assert all(each.is_new and each.error is None for each in results)
    assert {each.photo for each in results} == set(folder.rglob("*.png"))
    stems = ["sub/0", *(str(i) for i in range(1, PHOTOS))]
    assert names(out) == {f"{stem}-7-{i}.jpg" for stem in stems for i in range(2)}
    assert {file for each in results for file in each.files} == {out / name for name in names(out)}


def test_the_record_names_the_weights(service, take: Take, folder: Path, tmp_path: Path) -> None:
    record = tmp_path / "out/tintflow.jsonl"
    take(folder, record.parent, n=1, seed=7)
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line.pop("model_sha256") for line in lines] == [service.colorizer.info.sha256] * PHOTOS
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))  # as version 1.0 wrote it
    again = take(folder, record.parent, n=1, seed=7, extra_headers={"X-Request-Id": "another"})
    assert [each.is_new for each in again] == [False] * PHOTOS


def test_the_same_call_goes_on(service, take: Take, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert len(take(folder, out, most=2, at_once=1, n=1)) == 2
    before = names(out)
    assert 2 <= len(before) <= 3  # one more photo may have been in work
    service.colorizer.forget()
    results = take(folder, out, n=1)
    assert [each.is_new for each in results] == [False] * len(before) + [True] * (PHOTOS - len(before))
    assert len(service.colorizer.options) == PHOTOS - len(before)
    assert len(names(out)) == PHOTOS
    assert len({name.split("-")[1] for name in names(out)}) == 1  # one seed for all, drawn once
    assert not any(each.is_new for each in take(folder, out, n=1))


def test_bad_files_and_files_in_the_way(take: Take, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (folder / "bad.jpg").write_text("only text")
    out.mkdir()
    (out / "1-7-0.jpg").write_text("mine")
    results = {each.photo.name: each for each in take(folder, out, n=1, seed=7)}
    assert len(results) == PHOTOS + 1
    assert "bad.jpg" in results
    assert results["bad.jpg"].error
    assert results["1.png"].error
    assert (out / "1-7-0.jpg").read_text() == "mine"
    assert sum(each.error is None for each in results.values()) == PHOTOS - 1
    take(folder, out, n=1, seed=7, overwrite=True)
    assert (out / "1-7-0.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_errors_of_all_photos_are_raised(take: Take, service, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError):
        take(folder, tmp_path / "out", n=99)
    assert not names(tmp_path / "out")
    assert not service.colorizer.options


def test_at_most_so_many_at_once(service, take: Take, pool: Executor, folder: Path, tmp_path: Path) -> None:
    service.colorizer.close_gate()
    taken = pool.submit(take, folder, tmp_path / "out", at_once=4)
    eventually(lambda: service.metric("accepted_requests") == 4)
    time.sleep(0.1)
    assert service.metric("accepted_requests") == 4, "the fifth did not wait"
    service.colorizer.gate.set()
    assert len(taken.result()) == PHOTOS


def test_what_one_photo_meets_does_not_end_the_others(service, take: Take, folder: Path, tmp_path: Path) -> None:
    """Even with status 503: otherwise such a photo would end each call again."""
    service.colorizer.error = OutOfMemoryError("too little memory")
    results = take(folder, tmp_path / "out", at_once=1)
    assert [each.error for each in results] == ["too little memory"] * PHOTOS


def test_no_photo_at_once_is_refused(take: Take, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at_once: expected 1 or more, got 0"):
        take(folder, tmp_path / "out", at_once=0)
    assert not (tmp_path / "out").exists()


def test_an_iterator_of_hints_is_for_all_photos(service, take: Take, folder: Path, tmp_path: Path) -> None:
    hint = {"x": 0.25, "y": 0.75, "color": "#a03c28"}
    assert all(each.error is None for each in take(folder, tmp_path / "out", n=1, hints=iter([hint])))
    assert [len(options.hints) for options in service.colorizer.options] == [1] * PHOTOS


def test_suffixes_are_those_of_the_formats_that_are_read() -> None:
    Image.init()
    known = {(FORMATS[name], suffix) for suffix, name in Image.registered_extensions().items() if name in FORMATS}
    assert known == {(name, suffix) for name, suffixes in PHOTO_FORMATS.items() for suffix in suffixes}


def test_iterators_are_what_the_types_say(service, folder: Path, tmp_path: Path) -> None:
    with Client(str(service.client.base_url)) as client:
        results = client.folder(folder, tmp_path / "out")
        assert isinstance(results, Iterator)
        results.close()
    assert not service.colorizer.options  # no request before the first step

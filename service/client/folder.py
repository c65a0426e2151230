"""Folders of photos: colored some at once, with progress. Repeating a call resumes it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

from service.api.parameters import random_seed
from service.client.answers import ColorizationResponse
from service.client.errors import TintflowError
from service.client.found import Photo, Trouble, find_photos
from service.client.maker import Asked, Maker, is_of_all_photos
from service.client.record import Entry, Record

__all__ = ["Folder", "FolderPhoto"]

Result = tuple[Photo, Entry | Exception]


@dataclass(frozen=True)
class FolderPhoto:
    """One photo of a folder: colored now, colored before, or failed."""

    photo: Path
    files: list[Path]
    """its colorings; none if it failed"""
    error: str | None
    """why it failed"""
    is_new: bool
    """False: an earlier call colored it"""
    number: int
    """number of photos done so far, this one included"""
    total: int
    """number of photos in the folder"""


class Folder:
    """The photos of one call, and their outcomes."""

    def __init__(
        self,
        photos: str | PathLike[str],
        out: str | PathLike[str],
        fields: Mapping[str, Any],
        overwrite: bool,
        at_once: int,
    ) -> None:
        if at_once < 1:
            raise ValueError(f"at_once: expected 1 or more, got {at_once}")
        fields = {name: list(value) if isinstance(value, Iterator) else value for name, value in fields.items()}
        self._at_once = at_once
        self._out = Path(out)
        self._out.mkdir(parents=True, exist_ok=True)
        record = Record(self._out)
        given = {"command": "folder", **fields}
        seed = fields.get("seed")
        if seed is None:
            earlier = record.seed(given, "seed")
            seed = random_seed() if earlier is None else earlier
        found, self._troubles = find_photos([Path(photos)], self._out)
        self._maker = Maker(self._out, record, Asked({**fields, "seed": seed}, given, str(seed)), overwrite)
        self._left, in_the_way = self._maker.sort_out(found)
        self._troubles += in_the_way
        self._total = len(self._troubles) + len(self._maker.entries) + len(self._left)
        self._number = 0

    def run(self, send: Callable[..., ColorizationResponse]) -> Generator[FolderPhoto]:
        """Yield each photo when it is done. If the caller stops early, photos in work are finished first."""
        yield from self._settled()

        def make(photo: Photo) -> Result:
            try:
                identity, request = self._maker.begin(photo)
                return photo, self._maker.end(photo, identity, request, send(photo.source, **request.fields))
            except (TintflowError, OSError) as error:
                return photo, error

        waiting = iter(self._left)
        with ThreadPoolExecutor(self._at_once) as pool:
            working = {pool.submit(make, photo) for photo in islice(waiting, self._at_once)}
            while working:
                done, working = wait(working, return_when=FIRST_COMPLETED)
                for each in done:
                    yield self._made(*each.result())
                working |= {pool.submit(make, photo) for photo in islice(waiting, len(done))}

    async def run_async(self, send: Callable[..., Awaitable[ColorizationResponse]]) -> AsyncGenerator[FolderPhoto]:
        """Yield each photo when it is done. If the caller stops early, photos in work are dropped."""
        for each in self._settled():
            yield each

        async def make(photo: Photo) -> Result:
            try:
                return photo, await self._maker.make_by(send, photo)
            except (TintflowError, OSError) as error:
                return photo, error

        waiting = iter(self._left)
        working = {asyncio.create_task(make(photo)) for photo in islice(waiting, self._at_once)}
        try:
            while working:
                done, working = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield self._made(*task.result())
                working |= {asyncio.create_task(make(photo)) for photo in islice(waiting, len(done))}
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    def _settled(self) -> Generator[FolderPhoto]:
        for trouble in self._troubles:
            yield self._count(Path(trouble.name), error=trouble.reason, is_new=False)
        for photo, entry in list(self._maker.entries.items()):
            yield self._count(photo.source, self._files(entry), is_new=False)

    def _made(self, photo: Photo, result: Entry | Exception) -> FolderPhoto:
        """Count a photo. Raises errors that the next photo would meet, too."""
        if isinstance(result, Entry):
            return self._count(photo.source, self._files(result))
        if is_of_all_photos(result):
            raise result
        return self._count(photo.source, error=Trouble.of(photo.source, result).reason)

    def _files(self, entry: Entry) -> list[Path]:
        return [self._out / made.file for made in entry.files]

    def _count(
        self, photo: Path, files: Sequence[Path] = (), error: str | None = None, is_new: bool = True
    ) -> FolderPhoto:
        self._number += 1
        return FolderPhoto(photo, list(files), error, is_new, self._number, self._total)

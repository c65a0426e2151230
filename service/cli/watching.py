"""Colors the photos of a folder as they appear."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from service.cli.batch import share
from service.cli.colorings import CommandMaker
from service.client import AsyncClient, TintflowError, TooLargeError, UnprocessableError, UnsupportedTypeError
from service.client.found import NONE_FOUND, Photo, Trouble, find_photos
from service.client.maker import is_of_all_photos

__all__ = ["Watcher"]

OF_THE_PHOTO = (TooLargeError, UnprocessableError, UnsupportedTypeError)
"""errors that the same photo would meet again"""

State = tuple[int, int]
"""bytes and time of the last change: a file whose state stays is complete"""


class Watcher:
    """Looks at a folder again and again. It holds the names of the files that are there, and some photos in work."""

    def __init__(
        self,
        folder: Path,
        maker: CommandMaker,
        at_once: int,
        seconds: float,
        tell: Callable[[str, bool], None],
    ) -> None:
        """seconds: between two looks. tell: takes a line, and whether it is about a failure."""
        self._folder, self._maker = folder, maker
        self._at_once, self._seconds, self._tell = at_once, seconds, tell
        self._seen: dict[Path, State] = {}
        self._settled: dict[Path, State] = {}
        """done or refused: looked at again only if the file changes"""
        self._failed: dict[str, str] = {}
        """why others, and folders, failed: they are tried again, and each reason is told once"""

    async def run(self, client: AsyncClient) -> None:
        """Color what is there and what comes, until cancelled. Raises what the next photo would meet, too."""
        while True:
            photos = await asyncio.to_thread(self._find_new)
            await share(photos, partial(self._make, client), self._at_once)
            await asyncio.sleep(self._seconds)

    def _find_new(self) -> list[Photo]:
        """Return the photos that are complete and not settled: those that did not change since the last look."""
        photos, unread = find_photos([self._folder], self._maker.out)
        if not os.path.isdir(self._folder):  # noqa: PTH112 - Path's own raises where a network folder is cut off
            unread.append(Trouble(str(self._folder), "the folder is gone; it is looked for again"))
        states = {photo.source: state for photo in photos if (state := _state(photo.source)) is not None}
        same, self._seen = dict(self._seen.items() & states.items()), states
        self._settled = dict(self._settled.items() & states.items())
        complete = [photo for photo in photos if photo.source in same and photo.source not in self._settled]
        left, troubles = self._maker.sort_out(complete, replace_changed=True)
        troubles += [trouble for trouble in unread if trouble.reason != NONE_FOUND]
        for trouble in troubles:
            self._tell_once(trouble.name, trouble.reason)
        in_trouble = {trouble.name for trouble in troubles}
        there = in_trouble.union(map(str, states))
        self._failed = {name: reason for name, reason in self._failed.items() if name in there}
        for photo in complete:
            if photo not in left and str(photo.source) not in in_trouble:
                self._settled[photo.source] = states[photo.source]
        return left

    async def _make(self, client: AsyncClient, photo: Photo) -> None:
        try:
            line, failed = await self._maker.make(client, photo), False
        except (TintflowError, OSError) as error:
            if is_of_all_photos(error):
                raise
            reason = Trouble.of(photo.source, error).reason
            if not isinstance(error, OF_THE_PHOTO):
                self._tell_once(str(photo.source), f"{reason}; it is tried again")
                return
            line, failed = f"{photo.source}: {reason}", True
        self._tell(line, failed)
        self._failed.pop(str(photo.source), None)
        self._settled[photo.source] = self._seen[photo.source]

    def _tell_once(self, name: str, reason: str) -> None:
        if self._failed.get(name) != reason:
            self._failed[name] = reason
            self._tell(f"{name}: {reason}", True)


def _state(path: Path) -> State | None:
    try:
        status = path.stat()
    except OSError:  # it went meanwhile
        return None
    return status.st_size, status.st_mtime_ns

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
"""errors that would recur with the same photo"""

State = tuple[int, int]
"""size and time of the last change; a file is complete once both stay the same"""


class Watcher:
    """Checks a folder periodically. Holds in memory the names of its files, and the photos in work."""

    def __init__(
        self,
        folder: Path,
        maker: CommandMaker,
        at_once: int,
        seconds: float,
        tell: Callable[[str, bool], None],
    ) -> None:
        """seconds: between two checks. tell: takes a line, and whether it is about a failure."""
        self._folder, self._maker = folder, maker
        self._at_once, self._seconds, self._tell = at_once, seconds, tell
        self._seen: dict[Path, State] = {}
        self._settled: dict[Path, State] = {}
        """done or refused; tried again only if the file changes"""
        self._failed: dict[str, str] = {}
        """reasons why other photos, and folders, failed: these are retried, and each reason is reported once"""

    async def run(self, client: AsyncClient) -> None:
        """Color present and new photos until cancelled. Raises errors that the next photo would meet, too."""
        while True:
            photos = await asyncio.to_thread(self._find_new)
            await share(photos, partial(self._make, client), self._at_once)
            await asyncio.sleep(self._seconds)

    def _find_new(self) -> list[Photo]:
        """Return photos that are not settled and complete: unchanged since the last check."""
        photos, unread = find_photos([self._folder], self._maker.out)
        if not os.path.isdir(self._folder):  # noqa: PTH112 - Path.is_dir raises if a network folder is cut off
            unread.append(Trouble(str(self._folder), "the folder is gone; looking for it again"))
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
                self._tell_once(str(photo.source), f"{reason}; trying again")
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
    except OSError:  # it was deleted meanwhile
        return None
    return status.st_size, status.st_mtime_ns

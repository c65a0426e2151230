"""Files of colorings: never overwritten, never made twice, never partly written."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from service.api.formats import FORMATS, OutputFormat
from service.client import errors
from service.client.answers import Coloring, ColorizationResponse
from service.client.file_names import coloring_stem
from service.client.found import Photo, Trouble
from service.client.record import Entry, Made, Record, identify
from service.client.whole_file import whole_file

__all__ = ["Asked", "Maker", "Request", "is_of_all_photos"]

OF_ALL_PHOTOS = (
    errors.AuthenticationError,
    errors.ConnectionFailedError,
    errors.InvalidParameterError,
    errors.NotFoundError,
    errors.UnavailableError,
    errors.UnreadableAnswerError,
)
"""errors that the next photo would meet, too, but for those of these codes:"""
OF_ONE_PHOTO = {"decoder_lost", "out_of_memory"}


def is_of_all_photos(error: Exception) -> bool:
    """Say whether the next photo would meet an error, too."""
    if isinstance(error, errors.ProblemError) and error.code in OF_ONE_PHOTO:
        return False
    is_of_reference = isinstance(error, errors.RequestError) and error.detail.startswith("reference: ")
    return is_of_reference or isinstance(error, OF_ALL_PHOTOS)


@dataclass(frozen=True)
class Request:
    """The request for one photo, and how to turn its colorings into files."""

    fields: dict[str, Any]
    as_file: Callable[[Coloring], bytes]


@dataclass(frozen=True)
class Asked:
    """The request made for every photo."""

    fields: dict[str, Any]
    """fields of the interface, seeds included"""
    given: dict[str, Any]
    """the command and its options, without drawn seeds; equal values mean the same work"""
    name: str
    """middle part of file names: PHOTO-NAME-INDEX"""

    @property
    def output_format(self) -> OutputFormat:
        return self.fields.get("output_format", "jpeg")

    def request(self, photo: Path) -> Request:
        return Request(self.fields, lambda coloring: coloring.content)


class Maker:
    """Makes the files of photos' colorings, in one folder. Threads may share it."""

    def __init__(self, out: Path, record: Record, asked: Asked, overwrite: bool) -> None:
        self.out = out
        self._record = record
        self._asked = asked
        self._overwrite = overwrite
        self.entries: dict[Photo, Entry] = {}
        """colorings of each photo, made now or before"""
        self._lock = threading.Lock()

    def sort_out(self, photos: list[Photo], replace_changed: bool = False) -> tuple[list[Photo], list[Trouble]]:
        """Return the photos still to be done, and those that cannot be done because files are in the way.

        replace_changed: replace the files of photos that have changed since.
        """
        left, troubles = [], []
        numbered = cache(self._numbered)  # reads each folder once, not once per photo
        for photo in photos:
            try:
                identity = identify(photo)
                entry = self._record.find(identity, self._asked.given)
                is_same = entry is not None and entry.is_of(identity)
                if entry and is_same and self._record.is_complete(entry) and not self._overwrite:
                    self.entries[photo] = entry
                    continue
                existing = numbered((self.out / photo.target).parent).get(self._stem(photo), set())
            except OSError as error:  # of the photo, or of the folder that its colorings go to
                troubles.append(Trouble.of(photo.source, error))
                continue
            made = {self.out / made.file for made in entry.files} if entry else set()
            in_the_way = sorted(existing - (made if is_same or replace_changed else set()))
            if in_the_way and not self._overwrite:
                why = "before the photo changed" if in_the_way[0] in made else "of another photo or with other options"
                reason = f"{in_the_way[0]} exists and was made {why}; --overwrite replaces it"
                troubles.append(Trouble(str(photo.source), reason))
            else:
                left.append(photo)
        return left, troubles

    def begin(self, photo: Photo) -> tuple[dict[str, Any], Request]:
        """Return the photo's identity and state, and the request. Raises OSError."""
        return identify(photo), self._asked.request(photo.source)

    async def make_by(self, send: Callable[..., Awaitable[ColorizationResponse]], photo: Photo) -> Entry:
        """Make the files of a photo. Raises the errors of `send`, a client's method, and OSError."""
        identity, request = await asyncio.to_thread(self.begin, photo)
        answer = await send(photo.source, **request.fields)
        return await asyncio.to_thread(self.end, photo, identity, request, answer)

    def end(self, photo: Photo, identity: dict[str, Any], request: Request, answer: ColorizationResponse) -> Entry:
        """Write the files of an answer under temporary names, record them, and rename them. Raises OSError.

        If killed before the record, the work is done again; if after, the record says which photo the files belong to.
        """
        entry = Entry(
            **identity,
            **answer.model_dump(include={"model", "model_sha256", "seed", "noise_seed", "temperature"}),
            asked=self._asked.given,
            files=[
                Made(file=self.file_name(photo, each.index), **each.model_dump(include={"index", "bits_per_dim", "at"}))
                for each in answer.data
            ],
        )
        with ExitStack() as files:
            for made, coloring in zip(entry.files, answer.data, strict=True):
                file = self.out / made.file
                file.parent.mkdir(parents=True, exist_ok=True)
                files.enter_context(whole_file(file)).write_bytes(request.as_file(coloring))
            with self._lock:
                self._record.add(entry)
        self.entries[photo] = entry
        return entry

    def file_name(self, photo: Photo, index: int | str) -> str:
        """Return the path of a coloring, below the output folder."""
        return photo.target.with_name(f"{self._stem(photo)}-{index}{self._suffix}").as_posix()

    @property
    def _suffix(self) -> str:
        return FORMATS[self._asked.output_format].suffix

    def _stem(self, photo: Photo) -> str:
        return coloring_stem(photo.target.name, self._asked.name)

    def _numbered(self, folder: Path) -> dict[str, set[Path]]:
        """Return the files of a folder that have names of colorings, grouped by name without the number."""
        found: dict[str, set[Path]] = defaultdict(set)
        for file in folder.iterdir() if folder.is_dir() else ():
            stem, _, number = file.stem.rpartition("-")
            if file.suffix == self._suffix and number.isdecimal():
                found[stem].add(file)
        return found

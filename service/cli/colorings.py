"""Colorings become files: none is written over, none is made twice, and none is ever there in part."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.api.formats import FORMATS, OutputFormat
from service.cli.metadata import Metadata, embed, read_metadata, to_profile
from service.cli.photos import Photo, Trouble
from service.cli.record import Entry, Made, Record, identify
from service.client import AsyncClient, Coloring, ColorizationResponse

__all__ = ["Asked", "Call", "Maker", "as_file"]


Call = Callable[..., Awaitable[ColorizationResponse]]
"""a method of the client: takes a client, a photo, and fields by name"""


@dataclass(frozen=True)
class Asked:
    """The request made for every photo."""

    call: Call
    fields: dict[str, Any]
    """fields under the interface's names, seeds included"""
    given: dict[str, Any]
    """the command and its options, without a seed that was not given: the same again is the same work"""
    name: str
    """middle part of the files' names: PHOTO-NAME-INDEX"""
    keeps_metadata: bool
    keeps_gps: bool
    """keep the GPS position in the metadata"""

    @property
    def output_format(self) -> OutputFormat:
        """The format of the files."""
        chosen: OutputFormat = self.fields["output_format"]
        return chosen

    @property
    def output_compression(self) -> int:
        """Their quality."""
        return int(self.fields["output_compression"])

    def fields_for(self, metadata: Metadata) -> dict[str, Any]:
        """Return the fields for a photo: pixels that are still to be converted must come without loss."""
        return self.fields | {"output_format": "png" if metadata.converts else self.output_format}


def as_file(coloring: Coloring, metadata: Metadata, asked: Asked) -> bytes:
    """Return the file of a coloring, with what it keeps of its photo."""
    data = coloring.content
    if metadata.converts and metadata.profile:
        data = to_profile(data, metadata.profile, asked.output_format, asked.output_compression)
    return embed(data, asked.output_format, metadata)


class Maker:
    """Makes the colorings of photos, in one folder."""

    def __init__(self, out: Path, record: Record, asked: Asked, overwrite: bool) -> None:
        self._out = out
        self._record = record
        self._asked = asked
        self._overwrite = overwrite
        self._entries: dict[Photo, Entry] = {}

    @property
    def entries(self) -> dict[Photo, Entry]:
        """Colorings of each photo, made now or before."""
        return self._entries

    def sort_out(self, photos: list[Photo]) -> tuple[list[Photo], list[Trouble]]:
        """Return the photos that are still to be done, and those that cannot be, because files are in the way."""
        left, troubles = [], []
        for photo in photos:
            try:
                entry = self._record.find(identify(photo), self._asked.given)
            except OSError as error:
                troubles.append(Trouble(str(photo.source), error.strerror or str(error)))
                continue
            if entry and self._record.is_complete(entry) and not self._overwrite:
                self._entries[photo] = entry
                continue
            own = {self._out / made.file for made in entry.files} if entry else set()
            in_the_way = sorted(self._existing(photo) - own)
            if in_the_way and not self._overwrite:
                reason = f"{in_the_way[0]} is there, made otherwise; --overwrite replaces it"
                troubles.append(Trouble(str(photo.source), reason))
            else:
                left.append(photo)
        return left, troubles

    async def make(self, client: AsyncClient, photo: Photo) -> str:
        """Make the colorings of one photo, and say where they are. Raises what the client raises, and OSError."""
        asked = self._asked
        identity = identify(photo)
        metadata = Metadata()
        if asked.keeps_metadata:
            metadata = await asyncio.to_thread(read_metadata, photo.source, asked.keeps_gps)
        answer = await asked.call(client, photo.source, **asked.fields_for(metadata))
        entry = Entry(
            **identity,
            asked=asked.given,
            model=answer.model,
            seed=answer.seed,
            noise_seed=answer.noise_seed,
            temperature=answer.temperature,
            files=[
                Made(file=self._file(photo, each.index), index=each.index, bits_per_dim=each.bits_per_dim)
                for each in answer.data
            ],
        )
        await asyncio.to_thread(self._write, entry, answer, metadata)
        self._entries[photo] = entry
        indices = ",".join(str(made.index) for made in entry.files)
        braced = f"{{{indices}}}" if len(entry.files) > 1 else indices  # as a shell expands it
        bits = ", ".join(f"{made.bits_per_dim:.2f}" for made in entry.files)
        return f"{photo.source} → {self._out / self._file(photo, braced)}   {bits} bits/dim"

    def _write(self, entry: Entry, answer: ColorizationResponse, metadata: Metadata) -> None:
        """Write all files beside their places, note them, and put them into place.

        Killed before the note, the work is done again; killed after it, the note says whose the files are.
        """
        asked = self._asked
        parts: dict[Path, Path] = {}
        try:
            for made, coloring in zip(entry.files, answer.data, strict=True):
                file = self._out / made.file
                file.parent.mkdir(parents=True, exist_ok=True)
                parts[file] = file.with_name(f".{file.name}.part")
                parts[file].write_bytes(as_file(coloring, metadata, asked))
            self._record.add(entry)
            for file, part in parts.items():
                part.replace(file)
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)

    def _stem(self, photo: Photo) -> str:
        return f"{photo.target.name}-{self._asked.name}"

    def _file(self, photo: Photo, index: int | str) -> str:
        name = f"{self._stem(photo)}-{index}{FORMATS[self._asked.output_format].suffix}"
        return photo.target.with_name(name).as_posix()

    def _existing(self, photo: Photo) -> set[Path]:
        """Return the files that have a name that this photo's colorings may get."""
        folder, beginning = (self._out / photo.target).parent, f"{self._stem(photo)}-"
        suffix = FORMATS[self._asked.output_format].suffix
        files = folder.iterdir() if folder.is_dir() else ()
        return {
            file
            for file in files
            if file.name.startswith(beginning)
            and file.suffix == suffix
            and file.stem.removeprefix(beginning).isdecimal()
        }

"""Colorings that carry the metadata of their photos."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

from service.api.formats import FORMATS
from service.cli.metadata import Metadata, embed_metadata, read_metadata, to_profile
from service.client import AsyncClient, Coloring, ColorizationResponse
from service.client.found import Photo
from service.client.maker import Asked, Maker, Request
from service.client.record import Record

__all__ = ["Call", "CommandAsked", "CommandMaker", "new_colors"]


Call = Callable[..., Awaitable[ColorizationResponse]]
"""a method of the client: takes a client, a photo, and fields by name"""


@dataclass(frozen=True)
class CommandAsked(Asked):
    """A command's request for every photo."""

    call: Call
    keeps_metadata: bool
    keeps_gps: bool
    """keep the GPS position in the metadata"""

    def request(self, photo: Path | IO[bytes]) -> Request:
        """Return the request for one photo: as PNG, without loss, if the pixels are still to be converted."""
        max_side = cast(int | None, self.fields.get("output_max_side"))
        metadata = read_metadata(photo, self.keeps_gps, max_side) if self.keeps_metadata else Metadata()
        fits = metadata.longest_side <= FORMATS[self.output_format].max_side  # else it is refused either way
        fields = self.fields | {"output_format": "png" if metadata.converts and fits else self.output_format}
        return Request(fields, partial(self._as_file, metadata))

    def _as_file(self, metadata: Metadata, coloring: Coloring) -> bytes:
        data = coloring.content
        if metadata.converts and metadata.profile:
            data = to_profile(data, metadata.profile, self.output_format, int(self.fields["output_compression"]))
        return embed_metadata(data, self.output_format, metadata)


class CommandMaker(Maker):
    """Makes the colorings of a command."""

    def __init__(self, out: Path, record: Record, asked: CommandAsked, overwrite: bool) -> None:
        super().__init__(out, record, asked, overwrite)
        self._call = asked.call

    async def make(self, client: AsyncClient, photo: Photo) -> str:
        """Make the colorings of one photo; return a line with their paths. Raises the client's errors, and OSError."""
        entry = await self.make_by(partial(self._call, client), photo)
        indices = ",".join(str(made.index) for made in entry.files)
        braced = f"{{{indices}}}" if len(entry.files) > 1 else indices  # as a shell expands it
        bits = ", ".join(f"{made.bits_per_dim:.2f}" for made in entry.files)
        line = f"{photo.source} → {self.out / self.file_name(photo, braced)}   {bits} bits/dim"
        return line + new_colors(made.at for made in entry.files)


def new_colors(colorings: Iterable[Sequence[str] | None]) -> str:
    """Return the end of a line: the new colors of each coloring, between commas; empty if none has any."""
    colors = ", ".join(" ".join(each) for each in colorings if each)
    return colors and f", new colors {colors}"

"""`tintflow.jsonl` in the output folder: what was made of which photo, and how; so nothing is made twice."""

import json
from os import SEEK_END
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SkipValidation

from service.client.found import Photo

__all__ = ["Entry", "Made", "Record", "identify"]

NAME = "tintflow.jsonl"
FileName = SkipValidation[str]
"""a name whose bytes may not be UTF-8, which Python has as surrogates"""


class Made(BaseModel):
    """One coloring."""

    file: FileName
    """the file's path below the output folder"""
    index: int
    bits_per_dim: float


class Entry(BaseModel):
    """All colorings that one command made of one photo."""

    photo: FileName
    """path of the photo"""
    photo_bytes: int
    photo_modified: int
    """nanoseconds of Unix time"""
    target: FileName
    asked: dict[str, Any]
    """the command and its options, as they were given"""
    model: str
    seed: int
    noise_seed: int | None
    temperature: float
    files: list[Made]

    def is_of(self, identity: dict[str, Any]) -> bool:
        """Say whether the photo is still as it was."""
        return self.model_dump(include=set(identity)) == identity


def identify(photo: Photo) -> dict[str, Any]:
    """Return what tells one photo, and one state of it, from others. Raises OSError."""
    status = photo.source.stat()
    return {
        "photo": str(photo.source.resolve()),
        "photo_bytes": status.st_size,
        "photo_modified": status.st_mtime_ns,
        "target": photo.target.as_posix(),
    }


class Record:
    """The entries of one output folder, the newest of a photo and of what was asked."""

    def __init__(self, out: Path) -> None:
        """Read the entries; a line that a kill left unfinished, or that is damaged, is as good as none."""
        self._out, self._file = out, out / NAME
        self._of_photo: dict[str, Entry] = {}
        self._last: dict[str, Entry] = {}
        if self._file.exists():
            for line in self._file.read_bytes().splitlines():
                try:
                    self._keep(Entry.model_validate(json.loads(line)))
                except ValueError:
                    continue

    def find(self, identity: dict[str, Any], asked: dict[str, Any]) -> Entry | None:
        """Return what was last made of the photo when the same was asked; the photo may have changed since."""
        return self._of_photo.get(_key(_place(identity), asked))

    def seed(self, asked: dict[str, Any], name: str) -> int | None:
        """Return the seed, `seed` or `noise_seed`, of the last photo of which the same was asked."""
        last = self._last.get(_key(asked))
        return None if last is None else getattr(last, name)

    def is_complete(self, entry: Entry) -> bool:
        return all((self._out / made.file).exists() for made in entry.files)

    def add(self, entry: Entry) -> None:
        """Write an entry, on a line of its own also behind one that a kill or a full disk left unfinished."""
        line = json.dumps(entry.model_dump(), default=str).encode() + b"\n"
        with self._file.open("ab+") as file:
            if file.tell():
                file.seek(-1, SEEK_END)
                line = line if file.read() == b"\n" else b"\n" + line
            file.write(line)
        self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self._of_photo[_key(_place(entry.model_dump()), entry.asked)] = entry
        self._last[_key(entry.asked)] = entry


def _place(identity: dict[str, Any]) -> dict[str, Any]:
    """Return what stays where a photo changes."""
    return {name: identity[name] for name in ("photo", "target")}


def _key(*parts: dict[str, Any]) -> str:
    return json.dumps(parts, sort_keys=True, default=str)

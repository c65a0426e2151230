"""`tintflow.jsonl` in the output folder: a record of colorings, their photos and options. Prevents duplicate work."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SkipValidation

from service.client.found import Photo

__all__ = ["RECORD", "Entry", "Made", "Record", "identify", "identify_reference"]

RECORD = "tintflow.jsonl"
FileName = SkipValidation[str]
"""a file name; bytes that are not UTF-8 are surrogates, as Python has them"""


class Made(BaseModel):
    """One coloring."""

    file: FileName
    """the file's path below the output folder"""
    index: int
    bits_per_dim: float
    at: list[str] | None = None
    """new colors at the points of `at`; None without such points, and in records of version 2.0"""


class Entry(BaseModel):
    """All colorings that one command made of one photo."""

    photo: FileName
    """path of the photo"""
    photo_bytes: int
    photo_modified: int
    """Unix time in nanoseconds"""
    target: FileName
    asked: dict[str, Any]
    """the command and its options, as they were given"""
    model: str
    model_sha256: str | None = None
    """None in records of version 1.0"""
    seed: int
    noise_seed: int | None
    temperature: float
    files: list[Made]

    def is_of(self, identity: dict[str, Any]) -> bool:
        """Say whether the photo is unchanged. It may have moved."""
        state = {"photo_bytes", "photo_modified"}
        return self.model_dump(include=state) == {name: identity[name] for name in state}


def identify(photo: Photo) -> dict[str, Any]:
    """Return the fields that identify a photo and its state. Raises OSError."""
    status = photo.source.stat()
    return {
        "photo": str(photo.source.resolve()),
        "photo_bytes": status.st_size,
        "photo_modified": status.st_mtime_ns,
        "target": photo.target.as_posix(),
    }


def identify_reference(reference: Path) -> list[str | int]:
    """Return what identifies a reference and its state: another photo of its name is another one. Raises OSError."""
    status = reference.stat()
    return [str(reference.resolve()), status.st_size, status.st_mtime_ns]


class Record:
    """The entries of one output folder: the newest for each photo and request."""

    def __init__(self, out: Path) -> None:
        """Read the entries; skip unfinished (after a kill) and damaged lines."""
        self._out, self._file = out, out / RECORD
        self._of_photo: dict[str, Entry] = {}
        self._of_target: dict[str, Entry] = {}
        self._last: dict[str, Entry] = {}
        if self._file.exists():
            for line in self._file.read_bytes().splitlines():
                try:
                    entry = Entry.model_validate(json.loads(line))
                except ValueError:
                    continue
                _renew(entry.asked)
                self._keep(entry)

    def find(self, identity: dict[str, Any], asked: dict[str, Any]) -> Entry | None:
        """Return the last entry for the photo and the same request; the photo may have changed since.

        A photo that moved, such as with its folder, is known by its target and its unchanged state. One whose target
        has its suffix, because another photo of the same stem came, is known by its former target, too.
        """
        place, target = _place(identity), Path(identity["target"])
        former = {**place, "target": target.with_suffix("").as_posix()}
        for each in (place, former) if target.name == Path(identity["photo"]).name else (place,):
            if entry := self._of_photo.get(_key(each, asked)):
                return entry
        entry = self._of_target.get(_key({"target": identity["target"]}, asked))
        return entry if entry and entry.is_of(identity) and not os.path.lexists(entry.photo) else None

    def seed(self, asked: dict[str, Any], name: str) -> int | None:
        """Return the `seed` or `noise_seed` of the last photo with the same request."""
        last = self._last.get(_key(asked))
        return None if last is None else getattr(last, name)

    def is_complete(self, entry: Entry) -> bool:
        return all((self._out / made.file).exists() for made in entry.files)

    def add(self, entry: Entry) -> None:
        """Append an entry; begin a new line if a kill or a full disk left the last one unfinished."""
        line = json.dumps(entry.model_dump(), default=str).encode() + b"\n"
        with self._file.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read() == b"\n" else b"\n" + line
            file.write(line)
        self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self._of_photo[_key(_place(entry.model_dump()), entry.asked)] = entry
        self._of_target[_key({"target": entry.target}, entry.asked)] = entry
        self._last[_key(entry.asked)] = entry


def _renew(asked: dict[str, Any]) -> None:
    """Identify the reference of a record of version 1.0, which names only its path, by its state today."""
    if isinstance(reference := asked.get("reference"), str):
        with suppress(OSError):  # it is gone, or the working folder was another: other work
            asked["reference"] = identify_reference(Path(reference))


def _place(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of an identity that stay when the photo changes."""
    return {name: identity[name] for name in ("photo", "target")}


def _key(*parts: dict[str, Any]) -> str:
    return json.dumps(parts, sort_keys=True, default=str)

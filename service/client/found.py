"""Photos in files: single ones, folders with all below them, and globs."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Self

from service.api.formats import PHOTO_SUFFIXES

__all__ = ["NONE_FOUND", "Photo", "Trouble", "find_photos", "is_within"]

NONE_FOUND = "no photos found"


@dataclass(frozen=True)
class Photo:
    """A photo's file, and the name for its colorings."""

    source: Path
    target: Path
    """path below the output folder, without a suffix; folders are mirrored"""


@dataclass(frozen=True)
class Trouble:
    """A photo that could not be colored, and why."""

    name: str
    reason: str

    @classmethod
    def of(cls, name: object, error: Exception) -> Self:
        """Return the trouble that an error means for a photo, without errno and without the photo's own path."""
        if not isinstance(error, OSError) or error.strerror is None:
            return cls(str(name), str(error))
        is_named = error.filename is None or str(error.filename) == str(name)
        return cls(str(name), error.strerror if is_named else f"{error.filename}: {error.strerror}")


def find_photos(
    arguments: Sequence[Path], out: Path | None, base: Path | None = None
) -> tuple[list[Photo], list[Trouble]]:
    """Return the photos in order, each once, and the arguments that name none.

    Folders and globs give files with an image suffix, except hidden ones and those in the output folder; a file that is
    named itself is always taken. Links to folders are not followed. Two photos with the same stem, such as a.jpg and
    a.tif, keep their suffix in the names of their colorings. Without an output folder, names may repeat.

    base: folder whose subfolders are mirrored, also for files named themselves and for globs.
    """
    photos: dict[str, Photo] = {}
    troubles: list[Trouble] = []
    for argument in arguments:
        known = len(troubles)
        found = list(_find(argument, out, troubles))
        if not found and len(troubles) == known:
            is_held = out is not None and is_within(argument, out)
            reason = f"the output folder {out} holds it; choose another" if is_held else NONE_FOUND
            troubles.append(Trouble(str(argument), reason))
        for photo in found:
            if base is not None:
                try:
                    path = Path(os.path.abspath(photo.source)).relative_to(os.path.abspath(base))  # noqa: PTH100 - with ..
                except ValueError:
                    troubles.append(Trouble(str(photo.source), f"it is not below the base {base}"))
                    continue
                photo = replace(photo, target=path.with_suffix(""))
            photos.setdefault(os.path.realpath(photo.source), photo)
    if out is None:
        return list(photos.values()), troubles
    counts = Counter(photo.target for photo in photos.values())
    seen: dict[Path, Photo] = {}
    for photo in photos.values():
        if counts[photo.target] > 1:
            photo = replace(photo, target=photo.target.with_name(photo.source.name))
        first = seen.setdefault(photo.target, photo)
        if first is not photo:
            reason = f"its colorings would have the same names as those of {first.source}"
            troubles.append(Trouble(str(photo.source), reason))
    return list(seen.values()), troubles


def _find(argument: Path, out: Path | None, troubles: list[Trouble]) -> Iterator[Photo]:
    mode = _mode(argument)
    if mode is not None and S_ISDIR(mode):
        yield from _images(argument, _below(argument, troubles), out)
    elif mode is None and glob.has_magic(str(argument)):
        root = next(parent for parent in argument.parents if not glob.has_magic(str(parent)))
        if argument.name == "**":
            argument /= "*"  # before Python 3.13, ** alone finds only folders
        yield from _images(root, root.glob(str(argument.relative_to(root))), out)
    else:
        yield Photo(argument, Path(argument.stem))


def _below(folder: Path, troubles: list[Trouble]) -> Iterator[Path]:
    """Yield all files below a folder that are not hidden, and note the folders that cannot be read."""

    def note(error: OSError) -> None:
        troubles.append(Trouble.of(error.filename, error))

    for above, folders, files in os.walk(folder, onerror=note):
        folders[:] = (name for name in folders if not name.startswith("."))
        yield from (Path(above, name) for name in files)


def _images(root: Path, files: Iterable[Path], out: Path | None) -> Iterator[Photo]:
    for file in sorted(files):
        relative = file.relative_to(root)
        left_out = any(part.startswith(".") for part in relative.parts) or (out is not None and is_within(file, out))
        if file.suffix.lower() not in PHOTO_SUFFIXES or left_out:
            continue
        mode = _mode(file)
        if mode is None or S_ISREG(mode):  # an unreadable path, such as a broken link, is reported later
            yield Photo(file, relative.with_suffix(""))


def _mode(path: Path) -> int | None:
    """Return the mode of a file, as in `stat`, or None if `stat` fails."""
    try:
        return path.stat().st_mode
    except OSError:
        return None


def is_within(path: Path, folder: Path) -> bool:
    """Say whether a path is a folder or lies in it."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))  # `resolve` raises on a loop of links

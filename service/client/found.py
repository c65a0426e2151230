"""Photos in files: single ones, folders with all below them, and globs."""

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from service.api.formats import PHOTO_SUFFIXES

__all__ = ["Photo", "Trouble", "find_photos", "is_within"]


@dataclass(frozen=True)
class Photo:
    """A file, and the name of what is made of it."""

    source: Path
    target: Path
    """below the output folder, without a suffix; folders are mirrored"""


@dataclass(frozen=True)
class Trouble:
    """A photo that could not be colored, and why."""

    name: str
    reason: str


def find_photos(arguments: Sequence[Path], out: Path | None) -> tuple[list[Photo], list[Trouble]]:
    """Return the photos in order, each once, and what named none.

    Of folders and globs, files with the suffix of an image are taken, but for hidden ones and what is in the output
    folder, if there is one; a file that is named itself is always taken. Two photos of one name, such as a.jpg and
    a.tif, keep their suffix in the names of what is made of them.
    """
    photos: dict[Path, Photo] = {}
    troubles = []
    for argument in arguments:
        found = list(_find(argument, out))
        if not found:
            is_held = out is not None and is_within(argument, out)
            reason = f"the output folder {out} holds it; choose another" if is_held else "no photos found"
            troubles.append(Trouble(str(argument), reason))
        for photo in found:
            photos.setdefault(photo.source.resolve(), photo)
    counts = Counter(photo.target for photo in photos.values())
    named = [
        replace(photo, target=photo.target.with_name(photo.source.name)) if counts[photo.target] > 1 else photo
        for photo in photos.values()
    ]
    seen: dict[Path, Photo] = {}
    for photo in named:
        first = seen.setdefault(photo.target, photo)
        if first is not photo:
            troubles.append(
                Trouble(str(photo.source), f"its colorings would have the same names as those of {first.source}")
            )
    return list(seen.values()), troubles


def _find(argument: Path, out: Path | None) -> Iterator[Photo]:
    if argument.is_dir():
        yield from _images(argument, argument.rglob("*"), out)
    elif not argument.exists() and glob.has_magic(str(argument)):
        root = next(parent for parent in argument.parents if not glob.has_magic(str(parent)))
        yield from _images(root, root.glob(str(argument.relative_to(root))), out)
    else:
        yield Photo(argument, Path(argument.stem))


def _images(root: Path, files: Iterable[Path], out: Path | None) -> Iterator[Photo]:
    for file in sorted(files):
        relative = file.relative_to(root)
        left_out = any(part.startswith(".") for part in relative.parts) or (out is not None and is_within(file, out))
        if file.suffix.lower() in PHOTO_SUFFIXES and file.is_file() and not left_out:
            yield Photo(file, relative.with_suffix(""))


def is_within(path: Path, folder: Path) -> bool:
    """Say whether a folder holds a path, or is it."""
    return path.resolve().is_relative_to(folder.resolve())

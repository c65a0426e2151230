"""Checks of the photos and folders in a command line, before anything is loaded."""

import os
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG

import typer

from service.api.formats import FORMATS, OutputFormat, alternatives
from service.cli.batch import finish
from service.cli.statuses import MISUSED
from service.client.found import Photo, Trouble, find_photos

__all__ = ["NAMED_SUFFIXES", "SUFFIXES", "find_some", "make_folder"]

SUFFIXES: dict[str, OutputFormat] = {FORMATS[name].suffix: name for name in FORMATS} | {".jpeg": "jpeg"}
"""suffixes that tintflow writes"""
NAMED_SUFFIXES = alternatives(sorted(SUFFIXES))


def find_some(
    arguments: Sequence[Path], out: Path | None, base: Path | None = None
) -> tuple[list[Photo], list[Trouble]]:
    """Return the photos that exist, and troubles for the others. Without any photo, end with status 2.

    A pipe cannot be colored into a folder: it can be read only once, but metadata are read separately.
    """
    found, troubles = find_photos(arguments, out, base)
    photos = []
    for photo in found:
        try:
            mode = photo.source.stat().st_mode
            if out is None or S_ISREG(mode):
                photos.append(photo)
            else:
                reason = f"not a file; for one coloring, give a second name that ends in {NAMED_SUFFIXES}"
                troubles.append(Trouble(str(photo.source), reason))
        except OSError as error:
            troubles.append(Trouble.of(photo.source, error))
    if not photos:
        finish(troubles, status=MISUSED)
    return photos, troubles


def make_folder(folder: Path, hint: str = "--out") -> None:
    """Make the output folder and its parents. Raises BadParameter if that fails."""
    above = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if above.exists() and not above.is_dir():
        other = "" if above.suffix.lower() in SUFFIXES else f"; give a folder, or a file that ends in {NAMED_SUFFIXES}"
        raise typer.BadParameter(f"{above} is a file, not a folder{other}", param_hint=hint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"the folder {folder} cannot be made: {error.strerror}", param_hint=hint) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"the folder {folder} cannot be written to", param_hint=hint)

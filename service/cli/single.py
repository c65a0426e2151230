"""One photo into one file, or from standard input to standard output."""

import glob
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import typer

from service.api.formats import PHOTO_SUFFIXES
from service.cli.batch import end, printable, run_client
from service.cli.colorings import CommandAsked, new_colors
from service.cli.connection import Connection
from service.cli.places import NAMED_SUFFIXES, SUFFIXES, make_folder
from service.cli.statuses import FAILED, MISUSED
from service.client import AsyncClient, ColorizationResponse
from service.client.whole_file import whole_file

__all__ = ["STREAM", "Single", "choose_options", "find_single", "make_single"]

STREAM = Path("-")
"""standard input or output"""
NOT_WRITTEN = (PHOTO_SUFFIXES | {".jp2", ".jxl", ".ico", ".pdf", ".psd", ".svg", ".tga"}) - set(SUFFIXES)
"""image suffixes that tintflow does not write; any other may belong to a folder, as in scans.2026"""


@dataclass(frozen=True)
class Single:
    """A photo, and the file for its single coloring."""

    photo: Path
    target: Path


def find_single(context: typer.Context) -> Single | None:
    """Return the photo and the file of `in.jpg out.jpg`, `in.jpg -o out.jpg` or `-`; None for any other command line.

    Raises BadParameter if one file cannot hold the request.
    """
    options = context.params
    photos, out = [Path(each) for each in options["photos"]], Path(options["out"])
    if _is_given(context, "out"):
        if not _is_file(out):
            if out.suffix.lower() in NOT_WRITTEN and not out.is_dir():
                raise typer.BadParameter(
                    f"{out.suffix} is no format that tintflow writes; give a file that ends in {NAMED_SUFFIXES}, "
                    "or a folder",
                    param_hint="--out",
                )
            return None
        if len(photos) != 1 or _names_several(photos[0]):
            raise typer.BadParameter(
                "one file cannot hold colorings of several photos; give a folder", param_hint="--out"
            )
        return Single(photos[0], out)
    if photos == [STREAM]:
        return Single(STREAM, STREAM)
    if len(photos) > 1:
        _refuse_output(photos[-1])
    if len(photos) != 2 or not _is_file(photos[1]):
        return None
    first, last = photos
    if _names_several(first):
        return None
    if first != STREAM and not first.exists():  # mistyped: `last` may be its output
        raise typer.BadParameter(f"{first} is not there", param_hint="PHOTO")
    single = Single(first, last)
    if not last.exists():
        return single
    # Ambiguous: the output of an earlier run, or the second photo of `*.jpg`.
    try:
        choose_options(context, single)
    except typer.BadParameter:
        if first == STREAM:
            raise
        return None  # one file cannot hold the request, so both are photos
    replace = f"{last} exists; to replace it, give {first} -o {last} --overwrite"
    both = "" if first == STREAM else f"; to color both, add -o {options['out']}/"
    raise typer.BadParameter(replace + both, param_hint="PHOTO")


def choose_options(context: typer.Context, single: Single) -> dict[str, Any]:
    """Return the options that one file needs: n=1, and the format that its name says. Raises BadParameter."""
    options = dict(context.params)
    if "n" not in options:
        raise typer.BadParameter("one file cannot hold several colorings; give a folder", param_hint="--out")
    if options["n"] > 1 and _is_given(context, "n"):
        several = "" if single.photo == STREAM else "a folder, or "
        raise typer.BadParameter(f"one file holds one coloring; give {several}n=1", param_hint="-n")
    if options["sheet"]:
        raise typer.BadParameter("a contact sheet needs a folder", param_hint="--sheet")
    if options["base"]:
        raise typer.BadParameter("subfolders need a folder to be in, not a file", param_hint="--base")
    named = SUFFIXES.get(single.target.suffix.lower())
    if named and named != options["output_format"] and _is_given(context, "output_format"):
        raise typer.BadParameter(f"{single.target} has the suffix of another format", param_hint="--output-format")
    return options | {"n": 1, "output_format": named or options["output_format"]}


def make_single(connection: Connection, single: Single, asked: CommandAsked, overwrite: bool) -> None:
    """Make one coloring. Ends the program with status 1 if the file exists, and as `run_client` does."""
    target = single.target
    if target == STREAM and sys.stdout.isatty():
        end("standard output is a terminal; add `> coloring.jpg` or `-o coloring.jpg`", MISUSED)
    if target != STREAM and target.exists() and not overwrite:
        end(printable(f"{target} exists; --overwrite replaces it"), FAILED)
    try:
        photo = sys.stdin.buffer.read() if single.photo == STREAM else single.photo.read_bytes()
    except OSError as error:
        end(printable(f"{single.photo}: {error.strerror}"), MISUSED)
    if target != STREAM:
        make_folder(target.parent)
    request = asked.request(BytesIO(photo))

    async def ask(client: AsyncClient) -> ColorizationResponse:
        return await asked.call(client, photo, **request.fields)

    answer = run_client(connection, ask)
    (coloring,) = answer.data
    data = request.as_file(coloring)
    source = "standard input" if single.photo == STREAM else single.photo
    place = "standard output" if target == STREAM else target
    try:
        if target == STREAM:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            with whole_file(target) as part:
                part.write_bytes(data)
    except OSError as error:
        end(printable(f"{place}: {error.strerror}"), MISUSED)
    noise = "" if answer.noise_seed is None else f", noise seed {answer.noise_seed}"
    line = f"{source} → {place}   seed {answer.seed}{noise}, {coloring.bits_per_dim:.2f} bits/dim"
    line += new_colors([coloring.at])
    typer.echo(printable(line), err=True)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"  # typer brings a click of its own


def _names_several(photo: Path) -> bool:
    return photo.is_dir() or (not photo.exists() and glob.has_magic(str(photo)))


def _refuse_output(last: Path) -> None:
    """Raise BadParameter if the last photo does not exist, but looks like the name of an output."""
    if last == STREAM or last.exists() or glob.has_magic(str(last)):
        return
    suffix = last.suffix.lower()
    if suffix in NOT_WRITTEN:
        raise typer.BadParameter(
            f"{last} is not there, and {suffix} is no format that tintflow writes; "
            f"for one coloring, give a file that ends in {NAMED_SUFFIXES}",
            param_hint="PHOTO",
        )
    if not suffix:
        raise typer.BadParameter(f"{last} is not there; for a new output folder, give -o {last}", param_hint="PHOTO")


def _is_file(target: Path) -> bool:
    return target == STREAM or (target.suffix.lower() in SUFFIXES and not target.is_dir())

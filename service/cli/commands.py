"""The commands: their options are the interface's fields, and each makes one call for every photo."""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from inspect import Parameter, Signature
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Column

from model.protocol import Colorizer
from service.api.endpoints import COLORIZATIONS, INTERPOLATIONS, TRANSFERS, VARIATIONS, ColorEndpoint
from service.api.parameters import HEX_COLOR, random_seed
from service.cli import options as o
from service.cli.batch import finish, printable, run_batch, run_client, show, tell
from service.cli.colorings import Call, CommandAsked, CommandMaker
from service.cli.connection import Connection
from service.cli.places import find_some, make_folder
from service.cli.sheet import write_sheets
from service.cli.single import STREAM, choose_options, find_single, make_single
from service.cli.watching import Watcher
from service.client import AsyncClient, LikelihoodResponse
from service.client.client import AT_ONCE
from service.client.file_names import shortened
from service.client.found import Photo, is_within
from service.client.record import RECORD, Entry, Record, identify_reference
from service.settings import Settings

__all__ = ["add_commands"]

OUT = Path("out")
WATCH_SECONDS = 2.0
MAX_REFERENCE_BYTES = 100
"""maximum bytes of the reference's name in the names of files"""
PIPE_CHUNK_BYTES, MAX_PIPE_CHUNKS = 2**20, 2**10
"""in all more than a service accepts, so an endless pipe is refused"""


@dataclass(frozen=True)
class Command:
    """A command that makes colorings. Its options are the fields of its endpoint."""

    name: str
    help: str
    examples: tuple[str, ...]
    endpoint: ColorEndpoint
    call: Call
    file_name: Callable[[dict[str, Any]], str]
    """makes the names of a photo's files from the fields"""
    draws: str | None
    """name of the seed; if left out, one is drawn for all photos"""


def _reference_name(fields: dict[str, Any]) -> str:
    return shortened(Path(fields["reference"]).stem, MAX_REFERENCE_BYTES)


def _interpolation_name(fields: dict[str, Any]) -> str:
    begin = f"{fields['seed']}-{fields['index']}"
    if "reference" in fields:
        return f"{begin}-to-{_reference_name(fields)}"
    return f"{begin}-to-{fields.get('to_seed', fields['seed'])}-{fields.get('to_index')}"


COMMANDS = (
    Command(
        "colorize",
        """Draw colorings of photos, at their own size.

        They become OUT/NAME-SEED-INDEX.jpg; folders are mirrored. With one photo and the name of a file, one coloring
        goes into that file; - is standard input or output.
        Finished photos are skipped: after Ctrl-C the same command goes on.
        Files that cannot be colored are listed at the end; then the exit status is 1.
        """,
        (
            "colorize photo.jpg colored.jpg",
            "colorize photo.jpg -n 4 -t 0.6 --seed 7",
            "colorize scans/ 'albums/**/*.tif' -o colored/ -f png --sheet",
            "colorize photo.jpg --hint '0.31,0.62,#a03c28' --server http://localhost:8000",
        ),
        COLORIZATIONS,
        AsyncClient.colorizations,
        lambda fields: f"{fields['seed']}",
        draws="seed",
    ),
    Command(
        "variations",
        "Draw more like one coloring, which was made with this seed, index and temperature.",
        ("variations photo.jpg --seed 7 --index 1 --strength 0.3",),
        VARIATIONS,
        AsyncClient.variations,
        lambda fields: f"{fields['seed']}-{fields['index']}-variation-{fields['noise_seed']}",
        draws="noise_seed",
    ),
    Command(
        "transfer",
        "Give photos the colors of another.",
        ("transfer gray.jpg --reference color.jpg",),
        TRANSFERS,
        AsyncClient.transfers,
        lambda fields: f"transfer-{_reference_name(fields)}-{fields['seed']}",
        draws="seed",
    ),
    Command(
        "interpolations",
        "Go from one coloring to another, or to the colors of a reference.",
        ("interpolations photo.jpg --seed 7 --index 0 --to-index 2",),
        INTERPOLATIONS,
        AsyncClient.interpolations,
        _interpolation_name,
        draws=None,
    ),
)


COLORIZE = COMMANDS[0]
WATCH = replace(
    COLORIZE,
    name="watch",
    help="""Color the photos of a folder, and new ones as they appear.

    They become OUT/NAME-SEED-INDEX.jpg; folders are mirrored.
    A photo is colored once its file stays the same for --every seconds, and again if it changes.
    Ctrl-C ends it.
    """,
    examples=("watch scans/ -n 2 -o colored/",),
)


def add_commands(app: typer.Typer, load: Callable[[Settings], Colorizer]) -> None:
    """Add the commands to a command line; `load` loads the model into this process."""
    for command in COMMANDS:
        _add(app, command, partial(_make, load=load, command=command), o.parameter("photos", o.PhotosOrInput))
    every = o.parameter("every", o.Every, WATCH_SECONDS)
    _add(app, WATCH, partial(_watch, load=load), o.parameter("folder", o.Folder), every)

    @app.command(rich_help_panel="Photos", epilog=_examples("likelihood photos/"))
    def likelihood(photos: o.Photos, url: o.Url = None, api_key: o.ApiKey = None, at_once: o.AtOnce = AT_ONCE) -> None:
        """Say how plausible the photos’ own colors are, in bits per dimension: smaller is likelier."""
        found, troubles = find_some(photos, None)
        answers: dict[Photo, LikelihoodResponse] = {}
        pipes = _read_pipes(found)

        async def score(client: AsyncClient, photo: Photo) -> str | None:
            answers[photo] = await client.likelihoods(pipes.get(photo, photo.source))
            return None

        console = Console()
        try:
            troubles += run_batch(Connection(url, api_key, load), found, score, at_once, "likelihood", console)
        finally:  # also after Ctrl-C, or when the server is gone
            if answers:
                _show_likelihoods(console, [(photo, answers[photo]) for photo in found if photo in answers])
        finish(troubles)

    @app.command(rich_help_panel="Model", epilog=_examples("models --server http://localhost:8000"))
    def models(url: o.Url = None, api_key: o.ApiKey = None) -> None:
        """Show the model: the released weights, or those of a server."""
        listed = run_client(Connection(url, api_key, load), AsyncClient.models)
        for model in listed.data:
            limits = {f"limits.{name}": value for name, value in model.limits}
            shown = model.model_dump(exclude={"object", "photo_formats", "limits"}) | limits
            for name, value in shown.items():
                typer.echo(f"{name:20} {value}")


def _read_pipes(photos: Sequence[Photo]) -> dict[Photo, bytes]:
    """Read the photos that are pipes. Within the client, a wait for one would end only by a second Ctrl-C."""
    read = {}
    for photo in photos:
        with suppress(OSError):  # reported when it is sent
            if photo.source.is_fifo():
                with photo.source.open("rb") as pipe:
                    chunks = iter(partial(pipe.read, PIPE_CHUNK_BYTES), b"")
                    read[photo] = b"".join(islice(chunks, MAX_PIPE_CHUNKS))
    return read


def _show_likelihoods(console: Console, answers: Sequence[tuple[Photo, LikelihoodResponse]]) -> None:
    sizes = (f"{level.size}²" for level in answers[0][1].levels)
    columns = Column("photo", overflow="fold"), *(Column(head, no_wrap=True) for head in ("bits/dim", *sizes))
    rows = []
    for photo, answer in answers:
        bits = (answer.bits_per_dim, *(level.bits_per_dim for level in answer.levels))
        rows.append((str(photo.source), *(f"{each:.3f}" for each in bits)))
    show(console, columns, rows)


def _add(
    app: typer.Typer, command: Command, work: Callable[[typer.Context], None], argument: Parameter, *own: Parameter
) -> None:
    def run(context: typer.Context, **_: Any) -> None:
        work(context)

    signature = [
        o.parameter("context", typer.Context),
        argument,
        *o.field_options(command.endpoint),
        *own,
        o.parameter("out", o.Out, OUT),
        *([] if command is WATCH else [o.parameter("base", o.Base, None)]),
        o.parameter("overwrite", o.Overwrite, False),
        o.parameter("strip", o.Strip, False),
        o.parameter("keep_gps", o.KeepGps, False),
        *([] if command is WATCH else [o.parameter("sheet", o.Sheet, False)]),
        o.parameter("url", o.Url, None),
        o.parameter("api_key", o.ApiKey, None),
        o.parameter("at_once", o.AtOnce, AT_ONCE),
    ]
    run.__doc__ = command.help
    run.__signature__ = Signature(signature)  # type: ignore[attr-defined]  # typer reads it, and the annotations
    run.__annotations__ = {each.name: each.annotation for each in signature}
    app.command(command.name, rich_help_panel="Photos", epilog=_examples(*command.examples))(run)


def _examples(*lines: str) -> str:
    return "\n\n".join(["Examples:", *(f"tintflow {line}" for line in lines)])  # typer joins single lines


def _make(context: typer.Context, load: Callable[[Settings], Colorizer], command: Command) -> None:
    """Make colorings of photos: in a folder, or one in one file."""
    single = find_single(context)
    options = context.params if single is None else choose_options(context, single)
    connection, overwrite = Connection(options["url"], options["api_key"], load), options["overwrite"]
    if single is not None:
        make_single(connection, single, _asked(options, command), overwrite)
        return
    named = [Path(each) for each in options["photos"]]
    if STREAM in named:
        raise typer.BadParameter("the coloring of standard input needs a file: -o coloring.jpg", param_hint="PHOTO")
    console, out = Console(), Path(options["out"])
    photos, troubles = find_some(named, out, options["base"])
    maker = _maker(options, command)
    left, in_the_way = maker.sort_out(photos)
    if maker.entries:
        console.print(f"{len(maker.entries)} done before, {len(left)} to do")
    failed = run_batch(connection, left, maker.make, options["at_once"], command.name, console)
    troubles += in_the_way + failed
    if options["sheet"]:
        entries = {photo: maker.entries[photo] for photo in photos if photo in maker.entries}
        sheets, unwritten = write_sheets(out, entries, overwrite)
        troubles += unwritten
        for sheet in sheets:
            tell(console, printable(str(sheet)))
    if len(models := _count_models([*maker.entries.values()])) > 1:
        counts = ", ".join(f"{count} by {model}" for model, count in sorted(models.items()))
        typer.echo(printable(f"photos colored by different models: {counts}; --overwrite colors all again"), err=True)
    finish(troubles)


def _count_models(entries: Sequence[Entry]) -> dict[str, int]:
    """Count photos by the model that colored them. Models of the same name are told apart by their SHA-256.

    Version 1.0 recorded no SHA-256; such a photo counts as colored by the first known model of its name.
    """
    known = {entry.model: entry.model_sha256 for entry in reversed(entries) if entry.model_sha256}
    models = Counter((entry.model, entry.model_sha256 or known.get(entry.model, "")) for entry in entries)
    names = Counter(name for name, _ in models)
    return {
        name if names[name] == 1 else f"{name} (sha256 {sha256[:8]}…)": count
        for (name, sha256), count in models.items()
    }


def _watch(context: typer.Context, load: Callable[[Settings], Colorizer]) -> None:
    options = context.params
    folder, out = Path(options["folder"]), Path(options["out"])
    if is_within(folder, out):
        raise typer.BadParameter(f"{out} holds the photos; choose another folder", param_hint="--out")

    def say(line: str, failed: bool) -> None:
        tell(Console(stderr=failed), printable(line))

    watcher = Watcher(folder, _maker(options, COLORIZE), options["at_once"], options["every"], say)
    typer.echo(printable(f"watching {folder}; colorings go to {out}; Ctrl-C stops"), err=True)
    run_client(Connection(options["url"], options["api_key"], load), watcher.run, "stopped", 0)


def _maker(options: dict[str, Any], command: Command) -> CommandMaker:
    """Make the output folder, if missing, and return the maker of its files."""
    out = Path(options["out"])
    make_folder(out)
    if (file := out / RECORD).exists() and not os.access(file, os.W_OK):  # else each photo fails once it is colored
        raise typer.BadParameter(f"{file} cannot be written to", param_hint="--out")
    record = Record(out)
    return CommandMaker(out, record, _asked(options, command, record), options["overwrite"])


def _asked(options: dict[str, Any], command: Command, record: Record | None = None) -> CommandAsked:
    """Return the request for every photo; a seed left out is that of the same work before."""
    fields = _fields(options, command.endpoint)
    given = {"command": command.name, "strip": options["strip"], "keep_gps": options["keep_gps"], **fields}
    if "reference" in fields:
        given["reference"] = identify_reference(fields["reference"])
    if command.draws and command.draws not in fields:
        earlier = record.seed(given, command.draws) if record else None
        fields[command.draws] = random_seed() if earlier is None else earlier
    return CommandAsked(
        fields, given, command.file_name(fields), command.call, not options["strip"], options["keep_gps"]
    )


def _fields(options: dict[str, Any], endpoint: ColorEndpoint) -> dict[str, Any]:
    """Return the options that are fields of the interface and are given."""
    names = {*endpoint.parameters.model_fields, *endpoint.files}
    fields = {name: value for name, value in options.items() if name in names and value not in (None, [], ())}
    for name in o.POINTS.keys() & fields:
        fields[name] = [_point(name, text) for text in fields[name]]
    return fields


def _point(name: str, text: str) -> dict[str, float | str]:
    """Read a point of the photo, and its color if the field takes one."""
    (flag,), (form, _) = o.FLAGS[name], o.POINTS[name]
    parts = text.split(",")
    try:
        place = {"x": float(parts[0]), "y": float(parts[1])}
        if len(parts) != len(form.split(",")) or not all(re.fullmatch(HEX_COLOR, part.strip()) for part in parts[2:]):
            raise ValueError(text)
    except (ValueError, IndexError) as error:
        raise typer.BadParameter(f"expected {form}, got {text}", param_hint=flag) from error
    if not all(0 <= each <= 1 for each in place.values()):  # NaN neither; JSON does not have it
        raise typer.BadParameter(f"expected X and Y from 0 to 1, got {text}", param_hint=flag)
    return {**place, "color": parts[2].strip()} if parts[2:] else {**place}

"""Options of the commands: the interface's fields under their own names, and options about files."""

from collections.abc import Callable
from dataclasses import fields
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import typer
from pydantic.fields import FieldInfo

from model.options import Look
from service.api.endpoints import COLORIZATIONS, ColorEndpoint
from service.api.parameters import bounds_of, parts_of
from service.client.client import Client, headers

__all__ = [
    "ApiKey",
    "AtOnce",
    "Base",
    "Every",
    "Folder",
    "KeepGps",
    "Out",
    "Overwrite",
    "Photos",
    "PhotosOrInput",
    "Sheet",
    "Strip",
    "Url",
    "field_options",
    "option",
    "parameter",
    "path",
]

LOOK = {each.name for each in fields(Look)}
FILES, MODEL, SERVER = "Files", "Colorings", "Where"  # panels of --help
FLAGS = {
    "n": ("-n",),
    "temperature": ("--temperature", "-t"),
    "output_format": ("--output-format", "-f"),
    "hints": ("--hint",),
    "at": ("--at",),
    "reference": ("--reference", "-r"),
}
"""flags of fields whose option is not simply their name"""
POINTS = {
    "hints": (
        "X,Y,#RRGGBB",
        "color that all colorings follow at a point of the photo, x and y from 0 to 1; may be given several times",
    ),
    "at": (
        "X,Y",
        "point on a thing that gets other colors, while the rest of the coloring stays, x and y from 0 to 1; may be "
        "given several times",
    ),
}
"""form and help of the options that are points, each given by itself; their fields are arrays"""
NOT_OPTIONS = {"response_format"}


def _checked(check: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """Return an option's callback that turns the ValueError of a check into a BadParameter."""

    def callback(text: str | None) -> str | None:
        try:
            if text:
                check(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        return text

    return callback


def path(text: str) -> Path:
    """Return a path. Raises BadParameter for an empty one, which would mean the current folder."""
    if not text:
        raise typer.BadParameter("a name is empty")
    return Path(text)


def _photos(text: str) -> Any:
    return typer.Argument(parser=path, metavar="PHOTO", help=text)


def _of_files(kind: Any, text: str, *names: str, **details: Any) -> Any:
    """Return the type of an option about files."""
    return Annotated[kind, typer.Option(*names, help=text, rich_help_panel=FILES, **details)]


Photos = Annotated[list[Path], _photos("Files, folders (with all below them), or globs in quotes.")]
PhotosOrInput = Annotated[
    list[Path], _photos("Files, folders (with all below them), globs in quotes, or - (standard input).")
]

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="A folder of photos.")]
Every = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two checks of the folder.")]

Out = _of_files(Path, "Folder for the colorings, or one file.", "--out", "-o", parser=path, metavar="PATH")
MIRRORED = "Folder whose subfolders OUT mirrors, for photos that are named one by one."
Base = _of_files(Path | None, MIRRORED, "--base", exists=True, file_okay=False)
Overwrite = _of_files(bool, "Make finished colorings again, and replace files.", "--overwrite")
STRIPPED = "Leave out EXIF and ICC profile. By default, colorings keep them, except the GPS position."
Strip = _of_files(bool, STRIPPED, "--strip")
KeepGps = _of_files(bool, "Keep the GPS position, too.", "--keep-gps")
Sheet = _of_files(bool, "Also write a contact sheet, sheet.jpg.", "--sheet")
Url = Annotated[
    str | None,
    typer.Option(
        "--server",
        "--url",
        envvar="TINTFLOW_URL",
        callback=_checked(lambda url: Client(url).close()),  # checks the environment, too
        help="URL of a running service; left out, this process does the work.",
        rich_help_panel=SERVER,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="TINTFLOW_API_KEY", callback=_checked(headers), help="For the server.", rich_help_panel=SERVER),
]
AtOnce = Annotated[
    int, typer.Option("--at-once", min=1, max=64, help="Photos in work at a time.", rich_help_panel=SERVER)
]


def field_options(endpoint: ColorEndpoint) -> list[Parameter]:
    """Make an option for every field and every further file of an endpoint."""
    options = [
        parameter(name, Annotated[_type(name, field), option(name, endpoint)], _default(field))
        for name, field in endpoint.parameters.model_fields.items()
        if name not in NOT_OPTIONS
    ]
    for name in endpoint.files[1:]:
        required = name in endpoint.required_files
        file = typer.Option(*FLAGS[name], exists=True, dir_okay=False, help="A color photo.", rich_help_panel=MODEL)
        kind: Any = Path if required else Path | None
        options.append(parameter(name, Annotated[kind, file], Parameter.empty if required else None))
    return sorted(options, key=_place)


def _place(parameter: Parameter) -> tuple[bool, bool, bool]:
    """Sort options for --help: required ones, what to draw, appearance, files."""
    name = parameter.name
    return parameter.default is not Parameter.empty, name.startswith("output_"), name in LOOK


def option(name: str, endpoint: ColorEndpoint = COLORIZATIONS) -> Any:
    field = endpoint.parameters.model_fields[name]
    form, text = POINTS.get(name, (None, field.description or name))
    low, high, items = bounds_of(field.annotation, *field.metadata)  # of arrays, which are text here: those of an item
    return typer.Option(
        *FLAGS.get(name, ()),
        min=None if items else low,
        max=None if items else high,
        metavar=form,
        help=f"{text[0].upper()}{text[1:]}.".replace("'", "’"),  # zsh's completion loses straight ones
        rich_help_panel=FILES if name.startswith("output_") else MODEL,
    )


def parameter(name: str, kind: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return Parameter.empty
    return None if field.default_factory or field.default == () else field.default


def _type(name: str, field: FieldInfo) -> Any:
    """Return the type of an option: arrays are text, as in a form; points are given one by one."""
    if name in POINTS:
        return list[str] | None
    parts = list(parts_of(field.annotation))
    kinds: list[Any] = [each for each in parts if get_origin(each) is Literal or each in (int, float)]
    kind = str if any(get_origin(each) is tuple for each in parts) else kinds[0]
    return kind | None if _default(field) is None else kind

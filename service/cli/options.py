"""Options of the commands: the interface's fields by their own names, and those about files."""

from pathlib import Path
from typing import Annotated

import typer

from model.protocol import InterpolationPath, Rank, Select
from service.api.parameters import MAX_CANDIDATES, MAX_SAMPLES, MAX_SEED, MAX_STEPS
from service.codecs.encoding import OutputFormat

__all__ = [
    "ApiKey",
    "AtOnce",
    "Candidates",
    "EndReference",
    "Hints",
    "Index",
    "KeepGps",
    "LatentNorm",
    "Levels",
    "NoiseSeed",
    "Number",
    "Offset",
    "OriginalSeed",
    "Out",
    "OutputCompression",
    "OutputFormatOption",
    "Overwrite",
    "PathOption",
    "Photos",
    "RankOption",
    "Reference",
    "Seed",
    "SelectOption",
    "Sheet",
    "Steps",
    "Strength",
    "Strip",
    "Temperature",
    "ToIndex",
    "ToSeed",
    "Url",
    "Weights",
]

FILES, MODEL, SERVER = "Files", "Colorings", "Where"  # panels of --help

Photos = Annotated[
    list[Path], typer.Argument(metavar="PHOTO", help="Files, folders (with all below them), or globs in quotes.")
]

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the colorings.", rich_help_panel=FILES)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make anew what is done, and replace files.", rich_help_panel=FILES)
]
Strip = Annotated[
    bool,
    typer.Option(
        "--strip",
        help="Leave out EXIF and ICC profile. Without it colorings keep them, but for the GPS position.",
        rich_help_panel=FILES,
    ),
]
KeepGps = Annotated[
    bool, typer.Option("--keep-gps", help="Keep where the photo was taken, too.", rich_help_panel=FILES)
]
Sheet = Annotated[bool, typer.Option("--sheet", help="Write a contact sheet, sheet.jpg, too.", rich_help_panel=FILES)]
OutputFormatOption = Annotated[
    OutputFormat, typer.Option("--output-format", "-f", help="JPEG is 4:4:4.", rich_help_panel=FILES)
]
OutputCompression = Annotated[
    int, typer.Option(min=1, max=100, help="Quality of JPEG and WebP.", rich_help_panel=FILES)
]

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="TINTFLOW_URL",
        help="Of a running server; left out, the work is done in this process.",
        rich_help_panel=SERVER,
    ),
]
ApiKey = Annotated[str | None, typer.Option(envvar="TINTFLOW_API_KEY", help="For the server.", rich_help_panel=SERVER)]
AtOnce = Annotated[
    int, typer.Option("--at-once", min=1, max=64, help="Photos in work at a time.", rich_help_panel=SERVER)
]

Number = Annotated[int, typer.Option("-n", min=1, max=MAX_SAMPLES, help="How many.", rich_help_panel=MODEL)]
Offset = Annotated[int, typer.Option(min=0, max=MAX_CANDIDATES - 1, help="Index of the first.", rich_help_panel=MODEL)]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature", "-t", min=0, max=2, help="Default: what the model card recommends.", rich_help_panel=MODEL
    ),
]
LatentNorm = Annotated[
    float | None, typer.Option(min=0, max=2, help="‖z‖/√dim of each; default: as drawn.", rich_help_panel=MODEL)
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_SEED,
        help="Default: random, the same for all photos, and part of the files' names.",
        rich_help_panel=MODEL,
    ),
]
RankOption = Annotated[Rank, typer.Option("--rank", help="Likeliest first, or as drawn.", rich_help_panel=MODEL)]
Candidates = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_CANDIDATES, help="How many are drawn to select from.", rich_help_panel=MODEL),
]
SelectOption = Annotated[Select, typer.Option("--select", help="Which candidates.", rich_help_panel=MODEL)]
Hints = Annotated[
    list[str] | None,
    typer.Option(
        "--hint", metavar="X,Y,#RRGGBB", help="A colour at a point, 0 … 1 from the upper left.", rich_help_panel=MODEL
    ),
]

OriginalSeed = Annotated[
    int, typer.Option("--seed", min=0, max=MAX_SEED, help="Of the coloring that you liked.", rich_help_panel=MODEL)
]
Index = Annotated[
    int, typer.Option(min=0, max=MAX_CANDIDATES - 1, help="Of the coloring that you liked.", rich_help_panel=MODEL)
]
Strength = Annotated[
    float, typer.Option(min=0, max=1, help="0: the same coloring; 1: independent ones.", rich_help_panel=MODEL)
]
Levels = Annotated[
    str | None, typer.Option(help="Which latents move: coarse, fine, all, or 8,16,32,64.", rich_help_panel=MODEL)
]
NoiseSeed = Annotated[
    int | None, typer.Option(min=0, max=MAX_SEED, help="Of what is new; default: random.", rich_help_panel=MODEL)
]
Reference = Annotated[
    Path, typer.Option("--reference", "-r", exists=True, dir_okay=False, help="A colour photo.", rich_help_panel=MODEL)
]
EndReference = Annotated[
    Path | None,
    typer.Option(
        "--reference", "-r", exists=True, dir_okay=False, help="A colour photo as the other end.", rich_help_panel=MODEL
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="How much of levels 8, 16, 32 and 64 comes from the reference; default: 1,1,0,0.", rich_help_panel=MODEL
    ),
]
ToIndex = Annotated[
    int | None,
    typer.Option(min=0, max=MAX_CANDIDATES - 1, help="Of the coloring at the other end.", rich_help_panel=MODEL),
]
ToSeed = Annotated[
    int | None, typer.Option(min=0, max=MAX_SEED, help="Of the other end; default: --seed.", rich_help_panel=MODEL)
]
Steps = Annotated[int, typer.Option(min=2, max=MAX_STEPS, help="Colorings, both ends included.", rich_help_panel=MODEL)]
PathOption = Annotated[InterpolationPath, typer.Option("--path", help="Of the latents.", rich_help_panel=MODEL)]

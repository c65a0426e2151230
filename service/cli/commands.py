"""The commands: their options are the interface's fields, and say which call to make of every photo."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from model.protocol import Colorizer
from service.api.endpoints import COLORIZATIONS, INTERPOLATIONS, TRANSFERS, VARIATIONS, ColorEndpoint
from service.api.parameters import random_seed
from service.cli import options as o
from service.cli.batch import finish, run_batch, run_client
from service.cli.colorings import Asked, Call, Maker
from service.cli.connection import Connection
from service.cli.photos import Photo, find_photos
from service.cli.record import Record
from service.cli.sheet import write_sheets
from service.client import AsyncClient, LikelihoodResponse
from service.settings import Settings

__all__ = ["add_commands"]

OUT = Path("out")
AT_ONCE = 2  # while one is on the model, the other is decoded or encoded


def add_commands(app: typer.Typer, load: Callable[[Settings], Colorizer]) -> None:
    """Add the commands to a command line; `load` gives the model for work in this process."""

    @app.command(
        rich_help_panel="Photos",
        epilog=_examples(
            "colorize photo.jpg -n 4 -t 0.8 --seed 7",
            "colorize scans/ 'albums/**/*.tif' -o colored/ -f png --sheet",
            "colorize photo.jpg --hint '0.31,0.62,#a03c28' --url http://localhost:8000",
        ),
    )
    def colorize(
        context: typer.Context,
        photos: o.Photos,
        n: o.Number = 4,
        temperature: o.Temperature = None,
        seed: o.Seed = None,
        offset: o.Offset = 0,
        latent_norm: o.LatentNorm = None,
        rank: o.RankOption = "none",
        candidates: o.Candidates = None,
        select: o.SelectOption = "first",
        hints: o.Hints = None,
        out: o.Out = OUT,
        output_format: o.OutputFormatOption = "jpeg",
        output_compression: o.OutputCompression = 90,
        overwrite: o.Overwrite = False,
        strip: o.Strip = False,
        keep_gps: o.KeepGps = False,
        sheet: o.Sheet = False,
        url: o.Url = None,
        api_key: o.ApiKey = None,
        at_once: o.AtOnce = AT_ONCE,
    ) -> None:
        """Draw colorings of photos, at their own size.

        They become OUT/NAME-SEED-INDEX.jpg; folders are mirrored.
        What is done already is skipped: after Ctrl-C the same command goes on.
        Files that cannot be colorized are told of at the end; then the exit status is 1.
        """
        _make(context, load, COLORIZATIONS, AsyncClient.colorizations, lambda f: f"{f['seed']}", draws="seed")

    @app.command(rich_help_panel="Photos", epilog=_examples("variations photo.jpg --seed 7 --index 1 --strength 0.3"))
    def variations(
        context: typer.Context,
        photos: o.Photos,
        seed: o.OriginalSeed,
        index: o.Index,
        strength: o.Strength = 0.3,
        levels: o.Levels = None,
        n: o.Number = 4,
        offset: o.Offset = 0,
        temperature: o.Temperature = None,
        latent_norm: o.LatentNorm = None,
        noise_seed: o.NoiseSeed = None,
        out: o.Out = OUT,
        output_format: o.OutputFormatOption = "jpeg",
        output_compression: o.OutputCompression = 90,
        overwrite: o.Overwrite = False,
        strip: o.Strip = False,
        keep_gps: o.KeepGps = False,
        sheet: o.Sheet = False,
        url: o.Url = None,
        api_key: o.ApiKey = None,
        at_once: o.AtOnce = AT_ONCE,
    ) -> None:
        """Draw more like one coloring, which was made with this seed, index and temperature."""

        def name(fields: dict[str, Any]) -> str:
            return f"{fields['seed']}-{fields['index']}-variation-{fields['noise_seed']}"

        _make(context, load, VARIATIONS, AsyncClient.variations, name, draws="noise_seed")

    @app.command(rich_help_panel="Photos", epilog=_examples("transfer grey.jpg --reference colour.jpg"))
    def transfer(
        context: typer.Context,
        photos: o.Photos,
        reference: o.Reference,
        weights: o.Weights = None,
        n: o.Number = 4,
        offset: o.Offset = 0,
        temperature: o.Temperature = None,
        seed: o.Seed = None,
        out: o.Out = OUT,
        output_format: o.OutputFormatOption = "jpeg",
        output_compression: o.OutputCompression = 90,
        overwrite: o.Overwrite = False,
        strip: o.Strip = False,
        keep_gps: o.KeepGps = False,
        sheet: o.Sheet = False,
        url: o.Url = None,
        api_key: o.ApiKey = None,
        at_once: o.AtOnce = AT_ONCE,
    ) -> None:
        """Give photos the colours of another."""

        def name(fields: dict[str, Any]) -> str:
            return f"transfer-{Path(fields['reference']).stem}-{fields['seed']}"

        _make(context, load, TRANSFERS, AsyncClient.transfers, name, draws="seed")

    @app.command(rich_help_panel="Photos", epilog=_examples("interpolations photo.jpg --seed 7 --index 0 --to-index 2"))
    def interpolations(
        context: typer.Context,
        photos: o.Photos,
        seed: o.OriginalSeed,
        index: o.Index,
        to_index: o.ToIndex = None,
        to_seed: o.ToSeed = None,
        reference: o.EndReference = None,
        steps: o.Steps = 5,
        path: o.PathOption = "spherical",
        temperature: o.Temperature = None,
        latent_norm: o.LatentNorm = None,
        out: o.Out = OUT,
        output_format: o.OutputFormatOption = "jpeg",
        output_compression: o.OutputCompression = 90,
        overwrite: o.Overwrite = False,
        strip: o.Strip = False,
        keep_gps: o.KeepGps = False,
        sheet: o.Sheet = False,
        url: o.Url = None,
        api_key: o.ApiKey = None,
        at_once: o.AtOnce = AT_ONCE,
    ) -> None:
        """Go from one coloring to another, or to the colours of a reference."""

        def name(fields: dict[str, Any]) -> str:
            begin = f"{fields['seed']}-{fields['index']}"
            if "reference" in fields:
                return f"{begin}-to-{Path(fields['reference']).stem}"
            return f"{begin}-to-{fields.get('to_seed', fields['seed'])}-{fields.get('to_index')}"

        _make(context, load, INTERPOLATIONS, AsyncClient.interpolations, name, draws=None)

    @app.command(rich_help_panel="Photos", epilog=_examples("likelihood photos/"))
    def likelihood(photos: o.Photos, url: o.Url = None, api_key: o.ApiKey = None, at_once: o.AtOnce = AT_ONCE) -> None:
        """Say how plausible the photos' own colours are, in bits per dimension: smaller is likelier."""
        found, troubles = find_photos(photos, OUT)
        answers: dict[Photo, LikelihoodResponse] = {}

        async def score(client: AsyncClient, photo: Photo) -> str | None:
            answers[photo] = await client.likelihoods(photo.source)
            return None

        console = Console()
        troubles += run_batch(Connection(url, api_key, load), found, score, at_once, "likelihood", console)
        if answers:
            levels = next(iter(answers.values())).levels
            table = Table("photo", "bits/dim", *(f"{level.size}²" for level in levels))
            for photo in filter(answers.__contains__, found):
                answer = answers[photo]
                bits = (answer.bits_per_dim, *(level.bits_per_dim for level in answer.levels))
                table.add_row(str(photo.source), *(f"{each:.3f}" for each in bits))
            console.print(table)
        finish(troubles)

    @app.command(rich_help_panel="Model", epilog=_examples("models --url http://localhost:8000"))
    def models(url: o.Url = None, api_key: o.ApiKey = None) -> None:
        """Show what colorizes: the released weights, or those of a server."""
        listed = run_client(Connection(url, api_key, load), AsyncClient.models)
        for model in listed.data:
            table = Table(show_header=False)
            for name, value in model.model_dump(exclude={"object"}).items():
                table.add_row(name, str(value))
            Console().print(table)


def _examples(*lines: str) -> str:
    return "\n\n".join(["Examples:", *(f"tintflow {line}" for line in lines)])  # typer joins single lines


def _make(
    context: typer.Context,
    load: Callable[[Settings], Colorizer],
    endpoint: ColorEndpoint[Any],
    call: Call,
    name: Callable[[dict[str, Any]], str],
    draws: str | None,
) -> None:
    """Make colorings of photos. `draws` names the seed that is drawn if it is not given, once for all photos."""
    options = context.params
    console, out = Console(), Path(options["out"])
    fields = _fields(options, endpoint)
    given = {"command": context.info_name, "strip": options["strip"], "keep_gps": options["keep_gps"], **fields}
    photos, troubles = find_photos([Path(each) for each in options["photos"]], out)
    record = Record(out)
    if draws and draws not in fields:
        earlier = record.seed(given, draws)
        fields[draws] = random_seed() if earlier is None else earlier
    out.mkdir(parents=True, exist_ok=True)
    asked = Asked(call, fields, given, name(fields), not options["strip"], options["keep_gps"])
    maker = Maker(out, record, asked, options["overwrite"])
    left, in_the_way = maker.sort_out(photos)
    if maker.entries:
        console.print(f"{len(maker.entries)} done before, {len(left)} to do")
    connection = Connection(options["url"], options["api_key"], load)
    failed = run_batch(connection, left, maker.make, options["at_once"], str(context.info_name), console)
    troubles += in_the_way + failed
    if options["sheet"]:
        entries = {photo: maker.entries[photo] for photo in photos if photo in maker.entries}
        sheets, unwritten = write_sheets(out, entries, options["overwrite"])
        troubles += unwritten
        for sheet in sheets:
            console.print(str(sheet), highlight=False, soft_wrap=True)
    finish(troubles)


def _fields(options: dict[str, Any], endpoint: ColorEndpoint[Any]) -> dict[str, Any]:
    """Return the interface's fields among the options, but for those left out."""
    names = {*endpoint.parameters.model_fields, *endpoint.files}
    fields = {name: value for name, value in options.items() if name in names and value not in (None, [], ())}
    if "hints" in fields:
        fields["hints"] = [_hint(text) for text in fields["hints"]]
    return fields


def _hint(text: str) -> dict[str, float | str]:
    try:
        x, y, color = text.split(",")
        return {"x": float(x), "y": float(y), "color": color.strip()}
    except ValueError as error:
        raise typer.BadParameter(f"expected X,Y,#RRGGBB, got {text}", param_hint="--hint") from error

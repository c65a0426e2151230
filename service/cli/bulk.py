"""`tintflow bulk`: very many photos, on any number of processes and machines."""

import json
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from service.api.formats import OutputFormat
from service.api.parameters import random_seed
from service.cli import options as o
from service.cli.batch import STOPPED, end, finish, progress_columns
from service.cli.places import make_folder
from service.cli.statuses import FAILED, INTERRUPTED, MISUSED
from service.client.found import Trouble, find_photos
from service.client.whole_file import whole_file
from service.cluster.bulk import Asked, Outcome, Source, colorize_all, count_rows, on_ray, read_folder, read_parquet

__all__ = ["bulk"]

ASKED_FILE, REPORT = "bulk.json", "bulk.jsonl"
WHERE = "Where"  # a panel of --help
TOLD = 20
"""Maximum failures that the command lists; the report has all."""


def bulk(
    photos: Annotated[Path, typer.Argument(metavar="INPUT", exists=True, help="A folder of photos or of Parquet.")],
    out: Annotated[Path, typer.Argument(parser=o.path, metavar="OUTPUT", help="Folder for the colorings.")],
    n: Annotated[int, o.option("n")] = 1,
    temperature: Annotated[float | None, o.option("temperature")] = None,
    seed: Annotated[int | None, o.option("seed")] = None,
    output_format: Annotated[OutputFormat, o.option("output_format")] = "jpeg",
    output_compression: Annotated[int, o.option("output_compression")] = 90,
    output_max_side: Annotated[int | None, o.option("output_max_side")] = None,
    image_column: Annotated[str, typer.Option(help="Column of a Parquet file with the images.")] = "image",
    name_column: Annotated[str, typer.Option(help="Column of a Parquet file with unique names.")] = "name",
    actors: Annotated[int, typer.Option(min=1, help="Number of processes with the model.", rich_help_panel=WHERE)] = 1,
    gpus: Annotated[
        float, typer.Option(min=0, help="Part of a GPU for each process, such as 0.5.", rich_help_panel=WHERE)
    ] = 0.0,
    address: Annotated[
        str, typer.Option(help="Address of a Ray cluster; local starts one.", rich_help_panel=WHERE)
    ] = "local",
) -> None:
    """Color very many photos on Ray, from a folder with all below it or from Parquet files.

    Colorings become OUTPUT/NAME-SEED-INDEX.jpg; OUTPUT/bulk.jsonl has a line for every photo, bad ones included.
    Finished photos are skipped: after Ctrl-C the same command goes on.
    """
    if not find_spec("ray"):
        end("ray is not installed: pip install 'tintflow[ray]'", MISUSED)
    make_folder(out, "OUTPUT")
    try:
        earlier = _asked_before(out / ASKED_FILE)
        if seed is None:
            seed = random_seed() if earlier is None else earlier.seed
        asked = Asked(n, seed, temperature, output_format, output_compression, output_max_side)
        if earlier is None:
            with whole_file(out / ASKED_FILE) as part:
                part.write_text(json.dumps(asdict(asked)))
    except (OSError, ValueError) as error:
        end(f"{out / ASKED_FILE}: {Trouble.of(out / ASKED_FILE, error).reason}", MISUSED)
    if earlier is not None and earlier != asked:
        end(f"{out} was made with other options: {asdict(earlier)}; repeat them, or choose another folder", MISUSED)
    work = _Work(photos.absolute(), out, image_column, name_column)  # absolute: other nodes have other working folders
    try:
        with on_ray(address, actors + 1 if address == "local" else None):  # one more to read tables
            work.run(asked, actors, gpus)
    except KeyboardInterrupt:
        end(STOPPED, INTERRUPTED)
    except Exception as error:  # Ray raises many types; none is about a single photo
        end(str(error), MISUSED)
    typer.echo(f"{work.done} done, {work.before} done before, {work.failed} not done")
    status = FAILED if work.found_any else MISUSED
    finish(work.troubles, work.failed - len(work.troubles), f"see {out / REPORT}", status)


class _Work:
    """One command's photos and their outcomes."""

    def __init__(self, photos: Path, out: Path, image: str, name: str) -> None:
        self._photos, self._out, self._columns = photos, out, (image, name)
        self.done = self.before = self.failed = 0
        self.found_any = False
        self.troubles: list[Trouble] = []
        """the first failures"""

    def run(self, asked: Asked, actors: int, gpus: float) -> None:
        """Colorize them all; show progress, and write the report."""
        told = _told_of(self._out / REPORT)
        console = Console(stderr=True)
        with (
            (self._out / REPORT).open("a", 1, encoding="utf-8") as report,
            Progress(*progress_columns(), console=console, disable=not console.is_terminal) as progress,
        ):
            source, troubles = self._read()
            self.found_any = source is not None
            failures = (Outcome(trouble.name, [], [], trouble.reason) for trouble in troubles)
            outcomes = colorize_all(source, asked, self._out, actors, gpus) if source else ()
            task = progress.add_task("bulk", total=len(troubles) + (source.count if source else 0))
            for outcome in chain(failures, outcomes):
                progress.advance(task)
                self._count(outcome)
                # one made before a kill may have been lost on its way to the report
                if outcome.error is not None or outcome.bits_per_dim or outcome.photo not in told:
                    report.write(json.dumps(asdict(outcome)) + "\n")

    def _read(self) -> tuple[Source | None, list[Trouble]]:
        """Return the photos, if there are any, and the paths that are not photos."""
        troubles: list[Trouble] = []
        tables = sorted(self._photos.rglob("*.parquet")) if self._photos.is_dir() else [self._photos]
        if not tables:
            found, troubles = find_photos([self._photos], self._out)
            photos = {photo.target.as_posix(): photo.source for photo in found}
            return read_folder(photos) if photos else None, troubles
        rows: dict[Path, int] = {}
        for table in tables:
            try:
                rows[table] = count_rows(table, *self._columns)
            except (OSError, ValueError) as error:
                troubles.append(Trouble.of(table, error))
        return read_parquet(rows, *self._columns) if rows else None, troubles

    def _count(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.failed += 1
            if len(self.troubles) < TOLD:
                self.troubles.append(Trouble(outcome.photo, outcome.error))
        elif outcome.bits_per_dim:
            self.done += 1
        else:
            self.before += 1


def _asked_before(file: Path) -> Asked | None:
    """Return the request of an earlier command, if there was one. Raises OSError, and ValueError for a damaged file."""
    try:
        return Asked(**json.loads(file.read_text())) if file.exists() else None
    except (ValueError, TypeError) as error:
        raise ValueError("the file is damaged; delete it, or choose another folder") from error


def _told_of(report: Path) -> set[str]:
    """Return the photos in an earlier report; damaged or unfinished lines are skipped."""
    names = set()
    if report.exists():
        with report.open("rb") as lines:
            for line in lines:
                with suppress(ValueError):
                    names.add(json.loads(line)["photo"])
    return names

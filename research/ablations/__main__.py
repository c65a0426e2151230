"""`python -m research.ablations`: train and measure a flow of couplings with one thing left out at a time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.quality.comparison import errors_printed
from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from research.ablations.study import COLUMNS, Row, StudyConfig, figure, study
from research.ablations.variants import VARIANTS
from training.run import RunConfig, origin, prepare


def _table(rows: Mapping[str, Row]) -> Table:
    table = Table("variant", *(name.replace("_", " ") for name in COLUMNS))
    for name, row in rows.items():
        cells = []
        for column in COLUMNS:
            error = row["standard_errors"].get(column)
            cells.append(f"{row.get(column, float('nan')):.4g}" + (f" ± {error:.2g}" if error else ""))
        table.add_row(name, *cells)
    return table


def main(
    data: Annotated[Path, typer.Option(exists=True, help="Photos to train on: a folder of photos or of tar shards.")],
    photos: Annotated[Path, typer.Option(exists=True, help="Photos to measure on: a tar or a folder.")],
    minutes: Annotated[float, typer.Option(min=0, help="Of training, for each variant.")] = 20,
    out: Annotated[Path, typer.Option(help="States, weights, results, table and figure go here.")] = Path(
        "runs/ablations"
    ),
    features: Annotated[Path | None, typer.Option(help="Where condition features lie; below OUT if left out.")] = None,
    views: Annotated[int, typer.Option(min=1, help="Of each photo: one whole, the others random crops.")] = 4,
    init: Annotated[Path | None, typer.Option(exists=True, help="Weights of a cINN whose h to use.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Photos measured of each subset.")] = 50,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Train and measure a flow of couplings with one thing left out at a time: one table and one figure."""
    console = Console(stderr=True, width=200)
    names = variant or list(VARIANTS)
    with errors_printed():
        unknown = set(names) - set(VARIANTS)
        if unknown:
            raise InputError("variant", f"some of {list(VARIANTS)}", sorted(unknown))
        source = (load_checkpoint(init).cinn if init else Cinn()).to(choose_device(device))
        run = RunConfig(data, out, minutes, views=views, init=init, features=features)
        dataset = prepare(run, source)
        config = StudyConfig(photos, out, minutes, limit, trained_on=origin(run) | {"views": views})
        rows = dict(study(config, source.network, dataset, names))
    if not rows:
        raise typer.Exit(1)
    console.print(_table(rows))
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablations.json").write_text(json.dumps(rows, indent=2) + "\n")
    figure(rows, out / "ablations.png")
    print(f"{out / 'ablations.json'}, {out / 'ablations.png'}")


if __name__ == "__main__":
    typer.run(main)

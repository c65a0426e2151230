"""`python -m research.ablations`: training and measuring of the ablations of a flow of couplings."""

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quality.subset import cell
from benchmarks.report import show, table
from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from research.ablations.study import COLUMNS, StudyConfig, figure, study
from research.ablations.variants import VARIANTS
from training.commands import Device, Features, HeldOutPhotos, Init, Photos, Views, errors_printed
from training.run import RunConfig, origin, prepare


def main(
    data: Photos,
    photos: HeldOutPhotos,
    minutes: Annotated[float, typer.Option(min=0, help="Training time of each variant.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder of states, results, table and figure.")] = Path("runs/ablations"),
    features: Features = None,
    views: Views = 4,
    init: Init = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only this variant; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of photos measured of each subset.")] = 50,
    device: Device = "auto",
) -> None:
    """Train and measure all ablations of a flow of couplings; write a table and a figure."""
    names = variant or list(VARIANTS)
    with errors_printed():
        unknown = set(names) - set(VARIANTS)
        if unknown:
            raise InputError("variant", f"some of {list(VARIANTS)}", sorted(unknown))
        measured_on = origin(RunConfig(photos, out))["data"]  # reports a wrong path before anything is trained
        source = (load_checkpoint(init).cinn if init else Cinn()).to(choose_device(device))
        run = RunConfig(data, out, views=views, init=init, features=features)
        dataset = prepare(run, source)
        trained_on = origin(run) | {"views": views}
        config = StudyConfig(photos, out, minutes, limit, trained_on=trained_on, measured_on=measured_on)
        rows = dict(study(config, source.network, dataset, names))
    if len(rows) < len(set(names)):
        print("stopped; run the same command again to continue")
    if not rows:
        raise typer.Exit(1)
    show([table("", [{"variant": name} | {c: cell(row, c) for c in COLUMNS} for name, row in rows.items()])])
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablations.json").write_text(json.dumps(rows, indent=2) + "\n")
    figure(rows, out / "ablations.png")
    print(f"{out / 'ablations.json'}, {out / 'ablations.png'}")


if __name__ == "__main__":
    typer.run(main)

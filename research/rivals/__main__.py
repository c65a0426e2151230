"""`python -m research.rivals`: training of the cINN's rivals, and comparison with it."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.network import load_colorizer
from benchmarks.quality.comparison import Judge, Labels, Limit, Samples, Temperature, compare
from benchmarks.quality.methods import CinnMethod
from benchmarks.report import JsonFile
from research.rivals.checkpoint import load_rival
from research.rivals.method import RivalMethod
from research.rivals.networks import RIVALS
from research.rivals.train import train_rival
from training.commands import (
    RELEASED,
    Device,
    Features,
    HeldOutPhotos,
    Init,
    Photos,
    Resume,
    Views,
    Weights,
    errors_printed,
    refuse_used,
    tell,
)
from training.loop import LoopConfig
from training.run import RunConfig

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("train")
def train_command(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(RIVALS)}.")],
    data: Photos,
    out: Annotated[Path, typer.Option(help="Folder of the state and the weights.")] = Path("runs/rivals"),
    minutes: Annotated[float, typer.Option(min=0, help="Processor time of training, without the features.")] = 120,
    views: Views = 4,
    init: Init = None,
    device: Device = "auto",
    resume: Resume = False,
    features: Features = None,
) -> None:
    """Train a rival of the cINN, with the same h, features and budget."""
    refuse_used(out, [name], resume)
    with errors_printed():
        run = RunConfig(data, out, views=views, init=init, device=device, features=features)
        path = train_rival(name, run, LoopConfig(minutes=minutes, processor_time=True))
    tell(path, out)


@app.command("measure")
def measure_command(
    rivals: Annotated[list[Path], typer.Argument(exists=True, help="Weights of rivals.")],
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    json_file: JsonFile = None,
    labels: Labels = None,
    judge: Judge = True,
    temperature: Temperature = 1.0,
    samples: Samples = 8,
    limit: Limit = None,
    device: Device = "auto",
) -> None:
    """Measure rivals and the cINN by benchmarks.quality."""
    with errors_printed():
        cinn = CinnMethod(load_colorizer(weights, device))
        others = [RivalMethod(load_rival(path, cinn.colorizer.device), path.stem) for path in rivals]
        compare(cinn, others, data, labels, judge, temperature, samples, limit, json_file)


if __name__ == "__main__":
    app()

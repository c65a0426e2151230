"""`python -m research.rivals`: train the cINN's rivals, and measure them beside it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.quality.__main__ import load_method
from benchmarks.quality.comparison import (
    Comparison,
    Data,
    Device,
    JsonFile,
    Judge,
    Labels,
    Limit,
    Samples,
    Temperature,
    Weights,
    compare,
    errors_printed,
)
from research.rivals.checkpoint import load_rival
from research.rivals.method import RivalMethod
from research.rivals.networks import RIVALS
from research.rivals.train import train_rival
from training.run import RunConfig

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("train")
def train_command(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(RIVALS)}.")],
    data: Annotated[Path, typer.Option(exists=True, help="A folder of photos or of tar shards, or one shard.")],
    out: Annotated[Path, typer.Option(help="State and weights go here.")] = Path("runs/rivals"),
    minutes: Annotated[float, typer.Option(min=0, help="Of the processors, in training, without the features.")] = 120,
    views: Annotated[int, typer.Option(min=1, help="Of each photo: one whole, the others random crops.")] = 4,
    init: Annotated[Path | None, typer.Option(exists=True, help="Weights of a cINN whose h to use.")] = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option(help="Go on from the state in OUT; without it there must be none.")] = False,
    features: Annotated[Path | None, typer.Option(help="Where condition features lie; below OUT if left out.")] = None,
) -> None:
    """Train a rival of the cINN, with the same h, features and budget."""
    if (out / f"{name}.pt").exists() and not resume:
        message = f"{out} holds a run already; go on with it with --resume, or choose another --out"
        Console(stderr=True).print(message)
        raise typer.Exit(2)
    with errors_printed():
        run = RunConfig(data, out, minutes, (), views, init=init, device=device, features=features)
        path = train_rival(name, run)
    print(f"weights: {path}" if path else f"stopped; go on with --resume --out {out}")


@app.command("measure")
def measure_command(
    rivals: Annotated[list[Path], typer.Argument(exists=True, help="Weights of rivals.")],
    data: Data,
    weights: Weights = Path("weights/cinn.safetensors"),
    json_file: JsonFile = None,
    labels: Labels = None,
    judge: Judge = True,
    temperature: Temperature = 1.0,
    samples: Samples = 8,
    limit: Limit = None,
    device: Device = "auto",
) -> None:
    """Measure rivals beside the cINN as benchmarks.quality measures it."""
    with errors_printed():
        cinn = load_method(weights, None, device)
        others = [RivalMethod(load_rival(path, cinn.colorizer.device), path.stem) for path in rivals]
        compare(cinn, others, Comparison(data, labels, judge, temperature, samples, limit, json_file))


if __name__ == "__main__":
    app()

"""`python -m training`: train on your own photos, and join parts that were trained apart."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from model.errors import ModelError
from training.average import average
from training.data import NoPhotosError
from training.loop import LoopConfig
from training.run import SHARES, RunConfig, join, run

Part = Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SHARES)}; repeat it for some; all if left out.")]
Features = Annotated[Path | None, typer.Option(help="Where condition features lie; below OUT if left out.")]

app = typer.Typer(no_args_is_help=True, add_completion=False)
errors = Console(stderr=True)


@app.command("run")
def run_command(
    data: Annotated[Path, typer.Option(exists=True, help="A folder of photos or of tar shards, or one shard.")],
    out: Annotated[Path, typer.Option(help="Features, states and the checkpoint go here.")] = Path("runs/train"),
    minutes: Annotated[float, typer.Option(min=0, help="Of training, for all parts, without the features.")] = 120,
    part: Part = None,
    views: Annotated[int, typer.Option(min=1, help="Of each photo: one whole, the others random crops.")] = 4,
    init: Annotated[Path | None, typer.Option(exists=True, help="Weights to start from.")] = None,
    name: Annotated[str, typer.Option(help="Of the weights that come out, as the service shows it.")] = "my-colors-1",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    resume: Annotated[bool, typer.Option(help="Go on from the states in OUT; without it they must not exist.")] = False,
    features: Features = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="At its highest; lower where weights go on.")] = 1e-3,
    network_learning_rate: Annotated[
        float, typer.Option(min=0, help="Of the late stages of h, which then train with the one part named; 0: frozen.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the photos' order and of the noise.")] = 0,
) -> None:
    """Train the cINN: part after part, or those that --part names."""
    _refuse([file for file in (out / f"{name}.pt" for name in SHARES) if file.exists()], resume)
    config = RunConfig(
        data, out, minutes, tuple(part or ()), views, init=init, name=name, device=device, features=features
    )
    loop = LoopConfig(learning_rate=learning_rate, network_learning_rate=network_learning_rate, seed=seed)
    try:
        path = run(config, loop=loop)
    except ModuleNotFoundError as error:
        errors.print(f"{error.name} is not installed: pip install 'tintflow\\[train]'")  # \\[: no markup of rich's
        raise typer.Exit(2) from error
    except (ModelError, NoPhotosError) as error:
        errors.print(str(error))
        raise typer.Exit(2) from error
    print(f"weights: {path}" if path else f"stopped; go on with --resume --out {out}")


@app.command("join")
def join_command(
    part: Annotated[list[str], typer.Option(help="PART=WEIGHTS: where to take a part from; once for each.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    name: Annotated[str | None, typer.Option(help="Of the weights, as the service shows it.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="The default one of the service.")] = None,
    exponent: Annotated[list[float] | None, typer.Option(help="γ of each level, coarse to fine.")] = None,
) -> None:
    """Put parts that were trained in runs of their own into one checkpoint.

    What is not given comes from the first part's weights.
    """
    try:
        pairs = [each.partition("=") for each in part]
        join({key: Path(file) for key, _, file in pairs}, out, name, temperature, exponent or ())
    except (ModelError, ValueError) as error:
        errors.print(str(error))
        raise typer.Exit(2) from error
    print(f"weights: {out}")


@app.command("average")
def average_command(
    weights: Annotated[list[Path], typer.Argument(exists=True, help="Ends of runs that went on from each other.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
) -> None:
    """Write the mean of several weights of one training."""
    try:
        average(weights, out)
    except ModelError as error:
        errors.print(str(error))
        raise typer.Exit(2) from error
    print(f"weights: {out}")


def _refuse(states: list[Path], resume: bool) -> None:
    """End where a run would begin anew over the states of another."""
    if states and not resume:
        errors.print(f"{states[0].parent} holds a run already; go on with it with --resume, or choose another --out")
        raise typer.Exit(2)


if __name__ == "__main__":
    app()

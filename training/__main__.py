"""`python -m training`: train on your own photos, and join levels that were trained apart."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from model.errors import ModelError
from training.data import NoPhotosError
from training.run import RunConfig, join, run

Level = Annotated[list[int] | None, typer.Option(help="Size of a level to train; repeat it to train some together.")]


app = typer.Typer(no_args_is_help=True, add_completion=False)
errors = Console(stderr=True)


@app.command("run")
def run_command(
    data: Annotated[Path, typer.Option(exists=True, help="A folder of photos or of tar shards, or one shard.")],
    out: Annotated[Path, typer.Option(help="Features, states and the checkpoint go here.")] = Path("runs/train"),
    minutes: Annotated[float, typer.Option(min=0, help="Of training, for all levels, without the features.")] = 120,
    level: Level = None,
    views: Annotated[int, typer.Option(min=1, help="Of each photo: one whole, the others random crops.")] = 4,
    init: Annotated[Path | None, typer.Option(exists=True, help="Weights to start from.")] = None,
    name: Annotated[str, typer.Option(help="Of the weights that come out, as the service shows it.")] = "my-colors-1",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    resume: Annotated[bool, typer.Option(help="Go on from the states in OUT; without it they must not exist.")] = False,
) -> None:
    """Train the cINN: every level apart, one after another, or those that --level names together."""
    states = sorted(out.glob("level-*.pt"))
    if states and not resume:
        errors.print(f"{out} holds a run already; go on with it with --resume, or choose another --out")
        raise typer.Exit(2)
    try:
        path = run(RunConfig(data, out, minutes, tuple(level or ()), views, init=init, name=name, device=device))
    except (ModelError, NoPhotosError) as error:
        errors.print(str(error))
        raise typer.Exit(2) from error
    print(f"weights: {path}" if path else f"stopped; go on with --resume --out {out}")


@app.command("join")
def join_command(
    level: Annotated[list[str], typer.Option(help="SIZE=WEIGHTS: where to take a level from; once for every level.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
) -> None:
    """Put levels that were trained in runs of their own into one checkpoint."""
    try:
        pairs = [part.partition("=") for part in level]
        join({int(size): Path(weights) for size, _, weights in pairs}, out)
    except (ModelError, ValueError) as error:
        errors.print(str(error))
        raise typer.Exit(2) from error
    print(f"weights: {out}")


if __name__ == "__main__":
    app()

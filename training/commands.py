"""Options and errors that the command lines of training, benchmarks and research share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from model.errors import ModelError

__all__ = [
    "Device",
    "Features",
    "HeldOutPhotos",
    "Init",
    "Photos",
    "Resume",
    "Views",
    "Weights",
    "errors_printed",
    "refuse",
]

Photos = Annotated[Path, typer.Option(exists=True, help="Photos to train on: a folder of photos or tars, or a tar.")]
HeldOutPhotos = Annotated[
    Path,
    typer.Option(exists=True, help="Photos to measure on: a tar or a folder; its folders are subsets."),
]
Weights = Annotated[Path, typer.Option(help="Weights to measure.")]
Init = Annotated[Path | None, typer.Option(exists=True, help="Weights to start from, or whose h to use.")]
Features = Annotated[Path | None, typer.Option(help="Folder of the condition features; default: below OUT.")]
Views = Annotated[int, typer.Option(min=1, help="Views of each photo: one whole, the others random crops.")]
Resume = Annotated[bool, typer.Option(help="Continue from the state in OUT.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@contextmanager
def errors_printed(extra: str = "eval") -> Iterator[None]:
    """Print what is wrong with arguments, weights, photos or the disk, or which extra is not installed; exit with 2."""
    try:
        yield
    except ModuleNotFoundError as error:
        refuse(f"{error.name} is not installed: pip install 'tintflow[{extra}]'")
    except (ModelError, OSError) as error:
        refuse(str(error))


def refuse(reason: str) -> None:
    """Print a reason and exit with 2."""
    typer.echo(reason, err=True)  # as it is: rich would take brackets of a path for markup
    raise typer.Exit(2)

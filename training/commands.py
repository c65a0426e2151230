"""Options and errors that the command lines of training, benchmarks and research share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from model.errors import ModelError

__all__ = [
    "RELEASED",
    "Device",
    "Features",
    "HeldOutPhotos",
    "Init",
    "Photos",
    "Resume",
    "Views",
    "Weights",
    "errors_printed",
    "refuse_used",
    "tell",
]

INTERRUPTED = 130
RELEASED = Path(__file__).resolve().parents[1] / "weights" / "cinn.safetensors"
"""the weights that come with tintflow, also away from a clone"""
Photos = Annotated[Path, typer.Option(exists=True, help="Photos to train on: a folder of photos or tars, or a tar.")]
HeldOutPhotos = Annotated[
    Path, typer.Option(exists=True, help="Photos to measure on: a tar or a folder; its folders are subsets.")
]
Weights = Annotated[
    Path, typer.Option(envvar="TINTFLOW_WEIGHTS", help="Weights to measure.", show_default="the released ones")
]
Init = Annotated[Path | None, typer.Option(exists=True, help="Weights to start from, or to take h from.")]
Features = Annotated[Path | None, typer.Option(help="Folder of the condition features; default: inside OUT.")]
Views = Annotated[int, typer.Option(min=1, help="Views of each photo: one whole, the others random crops.")]
Resume = Annotated[bool, typer.Option(help="Continue from the state in OUT.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@contextmanager
def errors_printed(extra: str = "eval") -> Iterator[None]:
    """Print errors of arguments, weights, photos or the disk, or the missing extra; exit with 2."""
    try:
        yield
    except ModuleNotFoundError as error:
        _refuse(f"{error.name} is not installed: pip install 'tintflow[{extra}]'")
    except (ModelError, OSError) as error:
        _refuse(str(error))


def refuse_used(out: Path, states: Iterable[str], resume: bool) -> None:
    """Exit with 2 if a folder holds the state of a run, unless it is to be continued."""
    if not resume and any((out / f"{state}.pt").exists() for state in states):
        _refuse(f"{out} holds a run already; continue it with --resume, or choose another --out")


def tell(path: Path | None, out: Path, words: str = "--resume") -> None:
    """Print the path of the weights; of a stopped run, how to continue it, and exit with 130.

    With status 0, a script would go on, with weights that are missing.
    """
    if path:
        print(f"weights: {path}")
        return
    print(f"stopped; continue with {words} --out {out}")
    raise typer.Exit(INTERRUPTED)


def _refuse(reason: str) -> None:
    typer.echo(reason, err=True)  # unformatted: rich would take brackets in a path for markup
    raise typer.Exit(2)

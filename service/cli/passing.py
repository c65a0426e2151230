"""`tintflow train` and `tintflow eval`: programs of their own, which the service does not import."""

import os
import sys
from importlib.util import find_spec
from typing import Any

import typer

from service.cli.statuses import MISUSED

__all__ = ["add_passing_commands"]

PASS_ALL: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
    "rich_help_panel": "Model",
}


def add_passing_commands(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(**PASS_ALL)
    def train(context: typer.Context) -> None:
        """Train on your own photos; the options are those of `python -m training run`."""
        _become("train", "training", "run", *context.args)

    @app.command("eval", **PASS_ALL)
    def evaluate(context: typer.Context) -> None:
        """Measure weights; the options are those of `python -m benchmarks.quality`."""
        _become("eval", "benchmarks.quality", *context.args)


def _become(extra: str, module: str, *arguments: str) -> None:
    """Replace this process by a module's, so that signals and the exit status are its own."""
    if find_spec("torch") is None:
        typer.echo(f"torch is not installed: pip install 'tintflow[{extra}]'", err=True)
        raise typer.Exit(MISUSED)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - this Python, our modules

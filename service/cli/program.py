"""The command line: `tintflow serve`, commands that colorize files, API keys, and programs beside the service."""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from service import __version__
from service.cli.batch import end
from service.cli.bulk import bulk
from service.cli.commands import add_commands
from service.cli.statuses import MISUSED
from service.client.client import MAX_PORT
from service.edge.keys import KeyFileError, add_key
from service.loading import load_colorizer

app = typer.Typer(no_args_is_help=True)
keys = typer.Typer(help="Make API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")

PASS_ALL: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
    "rich_help_panel": "Model",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tintflow {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Colorize black-and-white photographs."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=MAX_PORT, help="Port to listen on; 0 picks a free one.")] = 8000,
) -> None:
    """Serve the HTTP interface until SIGTERM or SIGINT, then finish what was accepted."""
    if not host:  # such as a variable that is not set; to the system, it is every address
        raise typer.BadParameter("a host is empty; for every address, give 0.0.0.0", param_hint="--host")
    from service.cli.server import run  # late: no other command needs uvicorn

    raise typer.Exit(run(host, port, load_colorizer))


add_commands(app, load_colorizer)
app.command(rich_help_panel="Photos", epilog="Example: tintflow bulk scans/ colored/ -n 2 --actors 4")(bulk)


@app.command(**PASS_ALL)
def train(context: typer.Context) -> None:
    """Train on your own photos; the options are those of `python -m training run`."""
    _become("train", "training", "run", *context.args)


@app.command("eval", **PASS_ALL)
def evaluate(context: typer.Context) -> None:
    """Measure weights; the options are those of `python -m benchmarks.quality`."""
    _become("eval", "benchmarks.quality", *context.args)


def _become(extra: str, module: str, *arguments: str) -> None:
    """Replace this process by one that runs a module, which then gets signals and sets the exit status."""
    if find_spec("torch") is None:
        end(f"torch is not installed: pip install 'tintflow[{extra}]'", MISUSED)
    # -P: a file `model.py` in the current folder must not hide ours
    command = [sys.executable, "-P", "-m", "service.cli.handover", module, *arguments]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the new program can end without a traceback
    try:
        os.execv(sys.executable, command)  # noqa: S606 - this Python, our modules
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the owner: one word, which the log shows.")],
    file: Annotated[
        Path, typer.Option(envvar="TINTFLOW_API_KEYS_FILE", help="File of hashed keys; made if missing.")
    ] = Path("api-keys.txt"),
    rate_limit: Annotated[
        str, typer.Option(help="Rate limit, such as 10/second;1000/hour; left out, the limit of the settings.")
    ] = "",
) -> None:
    """Make a key, show it once, and add its hash to the file. A running service sees it at once.

    To revoke a key, delete its line.
    """
    try:
        secret = add_key(file, name, rate_limit)
    except KeyFileError as error:
        end(str(error), MISUSED)
    typer.echo(secret)
    typer.echo(f"{file} holds its hash. The key itself is not stored: keep it.", err=True)

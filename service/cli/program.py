"""The command line: `tintflow serve`, and commands that colorize files."""

from typing import Annotated

import typer

from service import __version__
from service.cli.bulk import add_bulk_command
from service.cli.commands import add_commands
from service.cli.key_commands import app as keys
from service.cli.passing import add_passing_commands
from service.client.client import MAX_PORT
from service.loading import load_colorizer

app = typer.Typer(help="Colorize black-and-white photographs.", no_args_is_help=True)


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
    from service.cli.server import run  # late: no other command needs uvicorn

    raise typer.Exit(run(host, port, load_colorizer))


add_commands(app, load_colorizer)
add_bulk_command(app)
add_passing_commands(app)
app.add_typer(keys, name="keys")

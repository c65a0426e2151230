"""`tintflow keys`: make API keys."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.statuses import MISUSED
from service.edge.keys import KeyFileError, add_key

__all__ = ["app"]

app = typer.Typer(help="Make API keys.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Make API keys."""


@app.command()
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
        typer.echo(str(error), err=True)
        raise typer.Exit(MISUSED) from error
    typer.echo(secret)
    typer.echo(f"{file} holds its hash. The key itself is not stored: keep it.", err=True)

"""The command line: `tintflow serve`, and commands that colorize files."""

import os
from importlib.metadata import version
from types import FrameType
from typing import Annotated, Any

import structlog
import typer
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.cli.bulk import add_bulk_command
from service.cli.commands import add_commands
from service.cli.key_commands import app as keys
from service.cli.passing import add_passing_commands
from service.edge.slow_requests import Connection
from service.engine import Engine, State
from service.loading import load_colorizer
from service.settings import Settings, refuse_unknown
from service.telemetry import logs
from service.telemetry.tracing import TracingUnavailableError

__all__ = ["Server", "app", "server_config"]

log = structlog.get_logger()

app = typer.Typer(help="Colorize black-and-white photographs.", no_args_is_help=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tintflow {version('tintflow')}")
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
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 8000,
) -> None:
    """Serve the HTTP interface until SIGTERM or SIGINT, then finish what was accepted."""
    try:
        refuse_unknown(os.environ)
        settings = Settings()
        logs.configure(settings.log_format)
        application = create_app(settings, load_colorizer)
    except (ValueError, TracingUnavailableError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    log.info("starting", keys_required=settings.api_keys_file is not None, address=f"{host}:{port}")
    engine: Engine = application.state.engine
    config = server_config(application, settings, host=host, port=port)
    Server(config, engine).run()
    if engine.state is State.FAILED:
        raise typer.Exit(1)


add_commands(app, load_colorizer)
add_bulk_command(app)
add_passing_commands(app)
app.add_typer(keys, name="keys")


def server_config(application: FastAPI, settings: Settings, **options: Any) -> uvicorn.Config:
    """Return uvicorn's own settings."""
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,  # the application logs requests itself, with their numbers
        server_header=False,
        http=Connection,
        ws="none",
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.deadline_seconds) + 1,
        **options,
    )


class Server(uvicorn.Server):
    """Ends readiness as soon as a signal asks to stop, and stops by itself if the model can't be loaded."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain, then stop as uvicorn does: it waits for requests in work."""
        self._engine.drain()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Say whether to stop now."""
        return await super().on_tick(counter) or self._engine.state is State.FAILED

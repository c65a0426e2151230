"""`tintflow serve`: uvicorn around the application."""

import os
import resource
import signal
import sys
from types import FrameType
from typing import Any

import structlog
import typer
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.cli.statuses import FAILED, INTERRUPTED, MISUSED
from service.edge.slow_requests import Connection
from service.engine import Engine, State
from service.loading import Load
from service.settings import Settings, SettingsError, read_settings, refuse_unknown
from service.telemetry import logs
from service.telemetry.tracing import TracingUnavailableError

__all__ = ["Server", "run", "server_config"]

log = structlog.get_logger()

SWITCH_SECONDS = 0.0005
"""Interpreter switch interval, in place of Python's 5 ms: while routes parse and write, a draw needs the interpreter
briefly between its many small steps."""

OWN_FILES = 160
"""Open files besides connections and decoded photos: 30 at rest, and a few for each decoder."""


def run(host: str, port: int, load: Load) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status. `port` 0 picks a free port."""
    try:
        refuse_unknown(os.environ)
        settings = read_settings()
        _allow_files(_most_files(settings))
        logs.configure(settings.log_format)
        application = create_app(settings, load)
    except (ValueError, TracingUnavailableError) as error:
        if os.environ.get("TINTFLOW_LOG_FORMAT") == "json":
            logs.configure("json")
            log.error("not_started", reason=str(error))
        else:
            typer.echo(str(error), err=True)
        return MISUSED
    sys.setswitchinterval(SWITCH_SECONDS)
    log.info("starting", keys_required=settings.api_keys_file is not None, address=f"{host}:{port}")
    engine: Engine = application.state.engine
    try:
        Server(server_config(application, settings, host=host, port=port), engine).run()
    except SystemExit:  # uvicorn's, after it logged the system's reason
        log.error("not_started", reason=f"not listening on {host}:{port}; the error above says why")
        return FAILED
    return FAILED if engine.state is State.FAILED else 0


def _most_files(settings: Settings) -> int:
    """Return the maximum number of open files. A request in flight has a connection, and a photo in shared memory."""
    photos = min(settings.queue_length, settings.max_connections)
    return settings.max_connections + photos + OWN_FILES


def _allow_files(count: int) -> None:
    """Raise this process's limit of open files. Raises SettingsError if the system does not allow it.

    If connections used up all files, no idle one would be closed for a new one, and no client could connect.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        except (ValueError, OverflowError) as error:
            raise SettingsError(
                f"TINTFLOW_MAX_CONNECTIONS: needs {count} open files, the limit is {hard} (ulimit -Hn)"
            ) from error


def server_config(application: FastAPI, settings: Settings, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,  # the application logs requests itself, with their numbers
        server_header=False,
        http=Connection,
        ws="none",
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.answer_seconds) + 1,
        **options,
    )


class Server(uvicorn.Server):
    """Stops being ready as soon as a signal asks to stop, and stops by itself if the model can't be loaded."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain, then stop after the requests in work. A second Ctrl-C exits at once, without waiting for threads.

        uvicorn's own handler would raise the signal again at the end, so the exit status would not be 0.
        """
        if self.should_exit and sig == signal.SIGINT:
            os._exit(INTERRUPTED)  # decoders end with this process
        self._engine.drain()
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._engine.state is State.FAILED

"""What `tintflow serve` runs: uvicorn around the application."""

from types import FrameType

import typer
import uvicorn
from pydantic import ValidationError

from service.app import create_app
from service.edge.keys import KeyFileError
from service.edge.slow_requests import Connection
from service.engine import Engine, State
from service.loading import Load
from service.settings import Settings
from service.telemetry import logs
from service.telemetry.tracing import TracingUnavailableError

__all__ = ["Server", "run"]

FAILED, MISUSED = 1, 2


def run(host: str, port: int, load: Load) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status. `port` 0 picks a free port."""
    try:
        settings = Settings()
        logs.configure(settings.log_format)
        application = create_app(settings, load)
    except (ValidationError, KeyFileError, TracingUnavailableError) as error:
        typer.echo(str(error), err=True)
        return MISUSED
    engine: Engine = application.state.engine
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # the application logs requests itself, with their numbers
        server_header=False,
        http=Connection,
        ws="none",
        timeout_graceful_shutdown=int(settings.deadline_seconds) + 1,
    )
    Server(config, engine).run()
    return FAILED if engine.state is State.FAILED else 0


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

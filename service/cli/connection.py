"""A client of a server, or of the same application in this process. Commands use both alike."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from http import HTTPStatus

import httpx
import structlog
from rich.console import Console
from structlog.typing import EventDict

from model.protocol import Colorizer
from service.client import AsyncClient, ServerError, TooManyRequestsError, UnavailableError
from service.settings import Settings, read_settings
from service.telemetry.logs import console_renderer

__all__ = ["Connection"]

RETRIES = 10  # a batch is patient
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Connection:
    """The place that colorizes: a server, or this process."""

    url: str | None
    """URL of a server; None is this process"""
    api_key: str | None
    load: Callable[[Settings], Colorizer]
    """how to load the model in this process"""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncClient]:
        """Connect, or load the model. Raises the errors of loading, and ConnectionFailedError if no server answers."""
        async with AsyncExitStack() as stack:
            if self.url:
                async with AsyncClient(self.url, api_key=self.api_key) as impatient:
                    with suppress(ServerError, TooManyRequestsError):  # a server is there
                        await impatient.models()
                client = AsyncClient(self.url, api_key=self.api_key, retries=RETRIES, max_wait=DAY_SECONDS)
                await stack.enter_async_context(client)
            else:
                console = Console(stderr=True)
                with console.status("loading the model…") if console.is_terminal else nullcontext():
                    client = await self._load(stack)
            yield client

    async def _load(self, stack: AsyncExitStack) -> AsyncClient:
        """Load the model in this process, and return a client once it is there; the stack closes both."""
        from service.app import create_app  # late: a client of a server needs none
        from service.engine import State

        structlog.configure(
            processors=[_without_load_failed, *structlog.get_config()["processors"][:-1], console_renderer()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # standard output may be a photo
        )
        # the only client needs no keys, queue length or deadline; the queue's other limits bound the memory
        settings = read_settings().model_copy(
            update={"api_keys_file": None, "queue_length": 2**16, "deadline_seconds": DAY_SECONDS, "tracing": False}
        )
        failures: list[Exception] = []

        def load(settings: Settings) -> Colorizer:
            try:
                return self.load(settings)
            except Exception as error:
                failures.append(error)
                raise

        app = create_app(settings, load, warm_up=False)
        transport = _Patient(app)
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = await stack.enter_async_context(
            AsyncClient("http://in-process", timeout=DAY_SECONDS, transport=transport)
        )
        while app.state.engine.state is State.LOADING:
            await asyncio.sleep(0.01)
        if app.state.engine.state is State.FAILED:
            raise next(iter(failures), UnavailableError("the model is not loaded", status=503, code="load_failed"))
        return client


class _Patient(httpx.ASGITransport):
    """Waits until the queue has room, without a time limit."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        while (response := await super().handle_async_request(request)).status_code == HTTPStatus.TOO_MANY_REQUESTS:
            await asyncio.sleep(float(response.headers["Retry-After"]))
        return response


def _without_load_failed(logger: object, method: str, event: EventDict) -> EventDict:
    """Drop the log line of a failed load, which the command itself reports."""
    if event["event"] == "load_failed":
        raise structlog.DropEvent
    return event

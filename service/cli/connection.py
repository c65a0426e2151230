"""A client of a server, or of the same application in this process: the commands do not see the difference."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import structlog

from model.protocol import Colorizer
from service.app import create_app
from service.client import AsyncClient, UnavailableError
from service.engine import State
from service.settings import Settings

__all__ = ["Connection"]

RETRIES = 10  # a batch is patient
MAX_WAIT_SECONDS = 300.0
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Connection:
    """Where to colorize."""

    url: str | None
    """of a server; None is this process"""
    api_key: str | None
    load: Callable[[Settings], Colorizer]
    """how to load the model in this process"""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncClient]:
        """Connect, or load the model. Raises what loading raises."""
        if self.url:
            async with AsyncClient(
                self.url, api_key=self.api_key, retries=RETRIES, max_wait=MAX_WAIT_SECONDS
            ) as client:
                yield client
            return
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        # nobody else asks, so that nobody is kept out or given up
        settings = Settings().model_copy(
            update={"api_keys_file": None, "queue_length": 2**16, "deadline_seconds": DAY_SECONDS}
        )
        colorizer = self.load(settings)
        app = create_app(settings, lambda _: colorizer)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            AsyncClient("http://in-process", timeout=DAY_SECONDS, transport=transport) as client,
        ):
            while app.state.engine.state is State.LOADING:  # it warms up
                await asyncio.sleep(0.01)
            if app.state.engine.state is State.FAILED:
                raise UnavailableError("the model could not be loaded", status=503, code="load_failed")
            yield client

"""A service with the fake colorizer, and photos to send."""

import asyncio
import logging
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
import structlog
from PIL import Image

from service.codecs.sandbox import Decoders
from tests.service.fake_colorizer import OTHER
from tests.service.fakes import Service, running
from tests.service.files import encoded


@pytest.fixture(autouse=True, scope="session")
def quiet_logs() -> Iterator[None]:
    structlog.configure(
        logger_factory=structlog.ReturnLoggerFactory(), processors=[structlog.processors.JSONRenderer()]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Restore the process's logging."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**configured)


@pytest.fixture
def start() -> Iterator[Callable[..., Service]]:
    """A function that starts a service with settings for one test; it is ready, unless `load` is given."""
    with ExitStack() as stack:
        yield lambda load=None, **settings: stack.enter_context(running(load, **settings))


@pytest.fixture
def loading(start: Callable[..., Service]) -> Iterator[tuple[Service, threading.Event]]:
    """A service that gets its model when an event is set."""
    loaded = threading.Event()
    service: Service = start(lambda _: loaded.wait() and service.colorizer)
    yield service, loaded
    loaded.set()


@pytest.fixture(scope="session")
def shared_service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def service(shared_service: Service) -> Service:
    """A ready service with default settings; its colorizer has no calls yet."""
    shared_service.colorizer.forget()
    shared_service.colorizer.error = None
    shared_service.colorizer.others = (OTHER,)
    shared_service.colorizer.gate.set()
    return shared_service


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The client's waits in seconds, which are recorded and skipped."""
    waited: list[float] = []

    async def later(seconds: float) -> None:
        waited.append(seconds)

    # only this module's names, since other tests' server also sleeps
    monkeypatch.setattr("service.client.client.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr("service.client.client.asyncio", SimpleNamespace(sleep=later, to_thread=asyncio.to_thread))
    return waited


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(20)  # more than any file needs; a second is too short on a busy machine
    made.start()
    yield made
    made.close()


@pytest.fixture
def grey_photo() -> Image.Image:
    """A gray photo, 40 wide and 24 high, that every rotation and flip changes."""
    y, x = np.mgrid[0:24, 0:40]
    return Image.fromarray((4 * x + 3 * y).astype(np.uint8))


@pytest.fixture
def grey_png(grey_photo: Image.Image) -> bytes:
    return encoded(grey_photo, "PNG")


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch, grey_png: bytes) -> bytes:
    """A photo whose colorings are files of megabytes, more than socket buffers hold."""
    monkeypatch.setattr("service.pipeline.encode", lambda *_, **__: bytes(range(256)) * 12_000)
    return grey_png


SLOWLY = """
import sys
import service.codecs.sandbox_worker as worker
decode = worker.decode
def slowly(upload, max_pixels, field, allow):
    if upload == b"slow":
        allow(1000)
        while True: pass
    return decode(upload, max_pixels, field, allow)
worker.decode = slowly
worker.main(int(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.fixture
def slow_files(monkeypatch) -> None:
    """Make the file `slow` take forever to decode."""
    popen = subprocess.Popen
    monkeypatch.setattr(
        "service.codecs.sandbox.subprocess.Popen",
        lambda command, **options: popen([command[0], "-c", SLOWLY, *command[3:]], **options),
    )

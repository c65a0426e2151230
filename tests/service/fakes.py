"""A service with the fake colorizer on a real socket."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from service.app import create_app
from service.cli.server import Server, server_config
from service.engine import State
from service.settings import Settings
from tests.service.fake_colorizer import FakeColorizer, tint
from tests.service.waiting import PATIENCE_SECONDS, eventually

__all__ = ["FakeColorizer", "Service", "running", "tint"]

ANY_BATCH_SECONDS = 3600.0  # so that a closed gate does not shrink batches
NO_CANARY_SECONDS = 3600.0  # otherwise a check could meet errors that a test lets the fake raise


class Service:
    """A running service and a client of it."""

    def __init__(self, app: FastAPI, server: Server, client: httpx.Client, colorizer: FakeColorizer) -> None:
        self.app = app
        self.server = server
        self.client = client
        self.colorizer = colorizer

    def post(self, image: bytes, headers: dict[str, str] | None = None, **fields: object) -> httpx.Response:
        """Request colorings of a photo, with fields, as a form."""
        return self.post_to("/v1/colorizations", image, headers, **fields)

    def post_to(
        self, path: str, image: bytes, headers: dict[str, str] | None = None, /, **fields: object
    ) -> httpx.Response:
        """Send a photo and fields as a form; values of bytes are sent as files, without a telling name or type."""
        files = {name: ("other.jpg", value) for name, value in fields.items() if isinstance(value, bytes)}
        data = {name: str(value) for name, value in fields.items() if name not in files}
        files = {"image": ("photo.txt", image, "text/plain")} | files
        return self.client.post(path, files=files, data=data, headers=headers)

    def post_json_to(self, path: str, image: bytes, /, **fields: object) -> httpx.Response:
        """Send a photo and fields as JSON; values of bytes are sent as files."""
        given = {"image": image} | fields
        encoded = {name: b64encode(value).decode() for name, value in given.items() if isinstance(value, bytes)}
        return self.client.post(path, json=given | encoded)

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        return self.client.base_url.host, self.client.base_url.port

    @property
    def settings(self) -> dict[str, Any]:
        """Return settings by name, for monkeypatch.setitem; only settings that each request reads take effect."""
        return vars(self.app.state.engine._settings)

    def hurry(self, photo: bytes, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the deadline of requests, after starting everything that is slow to start."""
        assert self.post(photo, n=1).status_code == 200
        monkeypatch.setitem(self.settings, "deadline_seconds", seconds)

    def wait_until_ready(self) -> None:
        eventually(lambda: self.client.get("/readyz").status_code == 200)

    def wait_until_idle(self) -> None:
        """Wait until every request has ended, which is just after its answer and its log line."""
        eventually(lambda: not self.server.server_state.tasks)

    @contextmanager
    def log(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the log lines of requests made in this context."""
        self.wait_until_idle()
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            yield lines
            self.wait_until_idle()

    def metric(self, name: str) -> float:
        """Return a value of /metrics; `accepted_requests` stands for `tintflow_accepted_requests`."""
        lines = self.client.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"tintflow_{name} "))

    @contextmanager
    def extra_memory(self) -> Iterator[Callable[[], float]]:
        """Yield a function that returns the peak of additional memory of the service and its decoders, in bytes."""

        def processes() -> list[str]:
            return ["self", *(str(each._process.pid) for each in list(self.app.state.engine._decoders._all))]

        def memory(pid: str, field: str) -> int:
            status = Path(f"/proc/{pid}/status")
            return 1024 * int(status.read_text().split(f"{field}:")[1].split()[0]) if status.exists() else 0

        before = sum(memory(pid, "VmRSS") for pid in processes())
        for pid in processes():
            clear = Path(f"/proc/{pid}/clear_refs")
            if clear.exists():
                clear.write_text("5")  # resets the peak
        yield lambda: sum(memory(pid, "VmHWM") for pid in processes()) - before

    def occupy(self, pool: Executor, image: bytes, **fields: object) -> Future[httpx.Response]:
        """Keep the colorizer busy with one request until its gate is opened."""
        self.colorizer.close_gate()
        busy = pool.submit(self.post, image, **fields)
        assert self.colorizer.entered.acquire(timeout=PATIENCE_SECONDS)
        return busy


@contextmanager
def running(load: Callable[[Settings], Any] | None = None, **settings: object) -> Iterator[Service]:
    """Run a service. Without `load`, it has the fake colorizer, and is ready when it is yielded."""
    defaults = {"canary_seconds": NO_CANARY_SECONDS, "queue_share": 1.0, "batch_seconds": ANY_BATCH_SECONDS}
    chosen = Settings(**defaults | settings)  # type: ignore[arg-type]
    colorizer = FakeColorizer()
    app = create_app(chosen, load or (lambda _: colorizer))
    config = server_config(app, chosen, port=0)
    config.timeout_graceful_shutdown = 10
    server = Server(config, app.state.engine)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            service = Service(app, server, client, colorizer)
            if load is None:
                # /readyz is requested only then, since a refusal would be counted
                eventually(lambda: app.state.engine.state is not State.LOADING)
                service.wait_until_ready()
            yield service
    finally:
        colorizer.gate.set()
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)

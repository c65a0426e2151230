"""A fake colorizer, and a service with it on a real socket."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import structlog
from fastapi import FastAPI

from model.options import PLAIN, InterpolationOptions, Look, Options, VariationOptions
from model.protocol import (
    DeviceMemory,
    Drawn,
    DrawTask,
    Finished,
    HintMatch,
    LevelLikelihood,
    Likelihood,
    ModelInfo,
    Photo,
    SmallPhoto,
)
from service.app import create_app
from service.cli.server import Server, server_config
from service.engine import State
from service.settings import Settings
from tests.service.waiting import eventually

__all__ = ["FakeColorizer", "Service", "ready", "running", "tint"]

PATIENCE_SECONDS = 60  # long enough for a busy machine; the limit of a decoder is 20
ANY_BATCH_SECONDS = 3600.0  # so that a closed gate does not shrink batches
NO_CANARY_SECONDS = 3600.0  # otherwise a check could meet errors that a test lets the fake raise


def tint(seed: int, index: int, temperature: float) -> np.ndarray:
    """Return red, green and blue that the fake adds to gray: never nearly equal, which would be gray."""
    drawn = np.random.default_rng((seed, index)).normal(0, 30, 3)
    gray = drawn.mean()
    return temperature * (gray + (drawn - gray) * max(1, 30 / np.ptp(drawn)))


class FakeColorizer:
    """A colorizer that tints the photo by colors from (seed, sample index), more strongly at higher temperatures."""

    info = ModelInfo("fake-1", "cpu", 10, 8192, 0.75, "0" * 64)
    memory = DeviceMemory(1000, 5000)

    def __init__(self) -> None:
        self.photos: list[Photo] = []
        self.references: list[Photo | None] = []
        self.options: list[Any] = []
        self.threads: set[str] = set()
        self.finishing: list[tuple[int, ...]] = []
        self.error: Exception | None = None
        self.entered = threading.Semaphore(0)
        self.prepared = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def close_gate(self) -> None:
        """Hold all draws until the gate is opened; `entered` reports the next one."""
        while self.entered.acquire(blocking=False):
            pass  # earlier entries, such as the warm-up
        self.gate.clear()

    def forget(self) -> None:
        """Forget all calls."""
        self.photos.clear()
        self.references.clear()
        self.options.clear()

    def prepare_rest(self) -> Iterator[None]:
        yield
        self.prepared.set()

    def shrink(self, photo: Photo, with_chroma: bool = False) -> SmallPhoto:
        return SmallPhoto(photo, photo, photo if with_chroma else None)  # the fake sees the full-size photo

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        for task in tasks:
            self._enter(task.photo.lightness, task.options, None if task.reference is None else task.reference.chroma)
        return [self._draw(task.options) for task in tasks]

    def score_all(self, photos: Sequence[SmallPhoto]) -> list[Likelihood]:
        for photo in photos:
            self._enter(photo.chroma, None)
        levels = (LevelLikelihood(8, 128, 5.5, 1.25), LevelLikelihood(16, 384, 4.5, 1.0))
        return [Likelihood(4.75, levels, {"condition": 0.001, "likelihood": 0.002}) for _ in photos]

    def finish(self, photo: Photo, drawn: Drawn, look: Look = PLAIN) -> Iterator[Finished]:
        grey = photo if photo.ndim == 2 else photo.mean(axis=2)
        levels = grey.astype(np.float64) / (257 if photo.dtype == np.uint16 else 1)
        hints = tuple(HintMatch(hint.color, 3.5, 1.25) for hint in drawn.hints)
        for tint in drawn.chroma:
            self.finishing.append(photo.shape)
            yield Finished(np.rint(levels[..., None] + tint).clip(0, 255).astype(np.uint8), hints)

    def _enter(self, photo: Photo, options: Any, reference: Photo | None = None) -> None:
        self.photos.append(photo)
        self.references.append(reference)
        self.options.append(options)
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.gate.wait(PATIENCE_SECONDS), "the test left the gate closed"
        if self.error:
            raise self.error

    def _draw(self, options: Options) -> Drawn:
        if isinstance(options, InterpolationOptions):
            indices = tuple(range(options.steps))
        else:
            shift = options.offset + (getattr(options, "select", "first") != "first")
            indices = tuple(range(shift, shift + options.n))
        if getattr(options, "rank", "none") == "likelihood":
            indices = tuple(reversed(indices))
        seed = options.noise_seed if isinstance(options, VariationOptions) else options.seed
        names = [(seed, i) for i in indices]
        temperature = self.info.default_temperature if options.temperature is None else options.temperature
        norm = getattr(options, "latent_norm", None)
        return Drawn(
            chroma=np.stack([tint(*name, temperature) for name in names]),
            indices=indices,
            bits_per_dim=tuple(2.5 + i / 8 for i in range(len(names))),
            latent_norms=(temperature if norm is None else norm,) * len(names),
            temperature=temperature,
            timings={"condition": 0.001, "sample": 0.002},
            coarsest=np.stack([np.random.default_rng(name).normal(0, 30, (2, 8, 8)) for name in names]),
            bits_before_hints=tuple(2.5 + i / 8 for i in range(len(names))),
            hints=getattr(options, "hints", ()),
        )


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
def running(load: Callable[[Settings], Any], colorizer: FakeColorizer, **settings: object) -> Iterator[Service]:
    defaults = {"canary_seconds": NO_CANARY_SECONDS, "queue_share": 1.0, "batch_seconds": ANY_BATCH_SECONDS}
    chosen = Settings(**defaults | settings)  # type: ignore[arg-type]
    app = create_app(chosen, load)
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
            yield Service(app, server, client, colorizer)
    finally:
        colorizer.gate.set()
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)


@contextmanager
def ready(**settings: object) -> Iterator[Service]:
    """Run a service with the fake colorizer; yield it when it is ready."""
    colorizer = FakeColorizer()
    with running(lambda _: colorizer, colorizer, **settings) as service:
        # /readyz is requested only then, since a refusal would be counted
        eventually(lambda: service.app.state.engine.state is not State.LOADING)
        service.wait_until_ready()
        yield service

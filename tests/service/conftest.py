"""A fake colorizer, the service around it on a real socket, and files to send."""

import logging
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import structlog
from fastapi import FastAPI
from PIL import Image

from model.protocol import (
    PLAIN,
    DeviceMemory,
    Drawn,
    DrawTask,
    Finished,
    HintMatch,
    InterpolationOptions,
    LevelLikelihood,
    Likelihood,
    Look,
    ModelInfo,
    Options,
    Photo,
    SmallPhoto,
    VariationOptions,
)
from service.app import create_app
from service.cli.server import Server, server_config
from service.settings import Settings

START_SECONDS = 30
NO_CANARY_SECONDS = 3600.0  # it would meet the errors that a test lets the fake raise, now and then


class FakeColorizer:
    """Tints the photo by colors drawn from (seed, sample index), the more the higher the temperature."""

    info = ModelInfo("fake-1", "cpu", 10, 8192, 0.75, "0" * 64)
    memory = DeviceMemory(1000, 5000)

    def __init__(self) -> None:
        self.photos: list[Photo] = []
        self.references: list[Photo | None] = []
        self.options: list[Any] = []
        self.threads: set[str] = set()
        self.batches: list[int] = []
        self.finishing: list[tuple[int, ...]] = []
        self.error: Exception | None = None
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def forget(self) -> None:
        """Forget all calls."""
        self.photos.clear()
        self.references.clear()
        self.options.clear()

    def shrink(self, photo: Photo, with_chroma: bool = False) -> SmallPhoto:
        return SmallPhoto(photo, photo if with_chroma else None)  # it sees the whole photo

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        self.batches.append(len(tasks))
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
        assert self.gate.wait(START_SECONDS), "the test left the gate closed"
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
        seed = options.noise_seed if isinstance(options, VariationOptions) else getattr(options, "seed", None)
        names = [(options.start.seed if seed is None else seed, i) for i in indices]
        if isinstance(options, VariationOptions) and options.strength == 0:
            names = [(options.origin.seed, options.origin.index)] * options.n
        temperature = self.info.default_temperature if options.temperature is None else options.temperature
        norm = getattr(options, "latent_norm", None)
        return Drawn(
            chroma=np.stack([np.random.default_rng(name).normal(0, 30 * temperature, 3) for name in names]),
            indices=indices,
            bits_per_dim=tuple(2.5 + i / 8 for i in range(len(names))),
            latent_norms=(temperature if norm is None else norm,) * len(names),
            temperature=temperature,
            timings={"condition": 0.001, "sample": 0.002},
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
        """Send a photo and fields as a form, to be colorized."""
        return self.post_to("/v1/colorizations", image, headers, **fields)

    def post_to(
        self, path: str, image: bytes, headers: dict[str, str] | None = None, /, **fields: object
    ) -> httpx.Response:
        """Send a photo and fields as a form; bytes are further files."""
        files = {name: ("other.jpg", value) for name, value in fields.items() if isinstance(value, bytes)}
        data = {name: str(value) for name, value in fields.items() if name not in files}
        return self.client.post(path, files={"image": ("photo.jpg", image)} | files, data=data, headers=headers)

    def wait_until_ready(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while self.client.get("/readyz").status_code != 200:
            assert time.monotonic() < give_up, "not ready in time"
            time.sleep(0.01)


@contextmanager
def running(load: Callable[[Settings], Any], colorizer: FakeColorizer, **settings: object) -> Iterator[Service]:
    chosen = Settings(**{"canary_seconds": NO_CANARY_SECONDS, "queue_share": 1.0} | settings)  # type: ignore[arg-type]
    app = create_app(chosen, load)
    config = server_config(app, chosen, port=0)
    config.timeout_graceful_shutdown = 10
    server = Server(config, app.state.engine)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        give_up = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < give_up, "the server did not start in time"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as client:
            yield Service(app, server, client, colorizer)
    finally:
        colorizer.gate.set()
        server.should_exit = True
        thread.join(START_SECONDS)


@pytest.fixture(autouse=True, scope="session")
def quiet_logs() -> Iterator[None]:
    structlog.configure(
        logger_factory=structlog.ReturnLoggerFactory(), processors=[structlog.processors.JSONRenderer()]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Put the process's logging back as it was."""
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
    """A function that starts a service of its own for one test: settings in; ready, unless `load` is given."""
    with ExitStack() as stack:

        def start_one(load: Callable[[Settings], Any] | None = None, **settings: object) -> Service:
            colorizer = FakeColorizer()
            service = stack.enter_context(running(load or (lambda _: colorizer), colorizer, **settings))
            if load is None:
                service.wait_until_ready()
            return service

        yield start_one


@pytest.fixture(scope="session")
def shared_service() -> Iterator[Service]:
    colorizer = FakeColorizer()
    with running(lambda _: colorizer, colorizer) as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def service(shared_service: Service) -> Service:
    """A ready service with default settings, whose colorizer has not been called in this test."""
    shared_service.colorizer.forget()
    shared_service.colorizer.error = None
    return shared_service


@pytest.fixture
def extra_memory() -> Callable[[Service], AbstractContextManager[Callable[[], float]]]:
    """A context in which to ask how many bytes a service and its decoders have taken at most since it was entered."""

    @contextmanager
    def watch(service: Service) -> Iterator[Callable[[], float]]:
        before = sum(memory(pid, "VmRSS") for pid in processes(service))
        for pid in processes(service):
            clear = Path(f"/proc/{pid}/clear_refs")
            if clear.exists():
                clear.write_text("5")  # the peak begins anew
        yield lambda: sum(memory(pid, "VmHWM") for pid in processes(service)) - before

    def processes(service: Service) -> list[str]:
        return ["self", *(str(each._process.pid) for each in list(service.app.state.engine._decoders._all))]

    def memory(pid: str, field: str) -> int:
        status = Path(f"/proc/{pid}/status")
        return 1024 * int(status.read_text().split(f"{field}:")[1].split()[0]) if status.exists() else 0

    return watch


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """A function that writes an image as a file's bytes."""

    def write(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
        buffer = BytesIO()
        image.save(buffer, file_format, **options)
        return buffer.getvalue()

    return write


@pytest.fixture
def grey_photo() -> Image.Image:
    """A gray photo, 40 wide and 24 high, that no turn or flip leaves as it is."""
    y, x = np.mgrid[0:24, 0:40]
    return Image.fromarray((4 * x + 3 * y).astype(np.uint8))


@pytest.fixture
def grey_png(grey_photo: Image.Image, encoded: Callable[..., bytes]) -> bytes:
    return encoded(grey_photo, "PNG")


@pytest.fixture
def png_header() -> Callable[[int, int], bytes]:
    """A function that makes a gray PNG of a given size that has no pixels."""

    def make(width: int, height: int) -> bytes:
        chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return b"\x89PNG\r\n\x1a\n" + header + b"\0\0\0\0IDAT"

    return make


@pytest.fixture
def icc_profile() -> Callable[[str, float], bytes]:
    """A function that makes a minimal ICC profile: (`GRAY` or `RGB `, gamma) in, sRGB's primaries."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)

    def make(space: str, gamma: float) -> bytes:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
        text = b"test\0"
        tags = {
            b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(79),
            b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
        }
        if space == "GRAY":
            tags[b"kTRC"] = curve
        else:
            primaries = {b"r": (0.4361, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7141)}
            for letter, xyz in primaries.items():
                tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*xyz)
                tags[letter + b"TRC"] = curve
        table, body = struct.pack(">I", len(tags)), b""
        start = 128 + 4 + 12 * len(tags)
        for name, content in tags.items():
            content += bytes(-len(content) % 4)
            table += name + struct.pack(">II", start + len(body), len(content))
            body += content
        header = struct.pack(
            ">I4sI4s4s4s", 128 + len(table) + len(body), b"test", 0x02100000, b"mntr", space.encode(), b"XYZ "
        )
        header += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
        return header.ljust(128, b"\0") + table + body

    return make

"""The fake colorizer's service, and files to send."""

import logging
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from PIL import Image

from service.codecs.sandbox import Decoders
from service.settings import Settings
from tests.service import files
from tests.service.fakes import FakeColorizer, Service, running


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
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


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
    return files.encoded


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(20)  # no file has a reason to take so long; on a busy machine a second is not enough
    made.start()
    yield made
    made.close()


@pytest.fixture
def grey_photo() -> Image.Image:
    """A gray photo, 40 wide and 24 high, that no turn or flip leaves as it is."""
    y, x = np.mgrid[0:24, 0:40]
    return Image.fromarray((4 * x + 3 * y).astype(np.uint8))


@pytest.fixture
def grey_png(grey_photo: Image.Image, encoded: Callable[..., bytes]) -> bytes:
    return encoded(grey_photo, "PNG")


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch, grey_png: bytes) -> bytes:
    """A photo whose colorings are files of megabytes: more than sockets hold."""
    monkeypatch.setattr("service.pipeline.encode", lambda *_: bytes(range(256)) * 12_000)
    return grey_png


@pytest.fixture
def icc_profile() -> Callable[..., bytes]:
    """A function that makes a minimal ICC profile: (`GRAY` or `RGB `, gamma, name) in, sRGB's primaries."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)

    def make(space: str, gamma: float, name: str = "test") -> bytes:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
        text = name.encode() + b"\0"
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

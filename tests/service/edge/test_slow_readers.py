"""Who does not read an answer does not make the service hold it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import structlog
from PIL import Image

from service.edge.slow_readers import PIECE_BYTES

PATH = "/v1/colorizations"
PATIENCE_SECONDS = 30


@pytest.fixture
def noise(encoded: Callable[..., bytes]) -> bytes:
    """A photo whose colorings are of megabytes: more than sockets hold."""
    levels = np.random.default_rng(0).integers(0, 256, (1200, 1200), np.uint8)
    return encoded(Image.fromarray(levels))


@contextmanager
def asked(service, photo: bytes) -> Iterator[socket.socket]:
    """A connection on which a coloring was asked for, and nothing read."""
    request = service.client.build_request(
        "POST", PATH, files={"image": photo}, data={"n": "2", "seed": "7", "output_format": "png"}
    )
    body = request.read()
    head = [f"POST {PATH} HTTP/1.1", "Host: test", "Accept: application/zip", "Connection: close"]
    head += [f"Content-Type: {request.headers['content-type']}", f"Content-Length: {len(body)}", "", ""]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect((service.client.base_url.host, service.client.base_url.port))
        connection.sendall("\r\n".join(head).encode() + body)
        yield connection


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_an_answer_that_is_not_read_is_not_held(start, noise) -> None:
    service = start(deadline_seconds=3)
    with structlog.testing.capture_logs() as lines, asked(service, noise) as connection:
        give_up = time.monotonic() + PATIENCE_SECONDS
        most = 0
        while not [line for line in lines if line["event"] == "answer_not_read"]:
            assert time.monotonic() < give_up, "held for ever"
            open_ones = list(service.server.server_state.connections)
            most = max([most, *(each.transport.get_write_buffer_size() for each in open_ones if each.transport)])
            time.sleep(0.05)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    (length,) = (int(line.split()[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
    assert len(body) < length
    assert 0 < most < 2 * PIECE_BYTES < length / 4


def test_who_reads_slowly_gets_all(start, noise) -> None:
    service = start()
    with asked(service, noise) as connection:
        time.sleep(1)
        slow = read_all(connection).partition(b"\r\n\r\n")[2]
    headers = {"Accept": "application/zip"}
    assert slow == service.post(noise, headers, n=2, seed=7, output_format="png").content

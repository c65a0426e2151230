"""What comes before a request: no connection is held for ever, or fills memory, by it."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.edge.slow_requests import MAX_HEAD_BYTES

PATIENCE_SECONDS = 10
WHOLE = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"


@contextmanager
def connected(service) -> Iterator[socket.socket]:
    address = service.client.base_url.host, service.client.base_url.port
    with socket.create_connection(address, PATIENCE_SECONDS) as connection:
        yield connection


def answered(connection: socket.socket) -> bytes:
    """Return what comes until the service closes the connection; TimeoutError if it does not."""
    received = b""
    try:
        while more := connection.recv(65_536):
            received += more
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHost: t", WHOLE + b"GET /livez HTT"])
def test_who_does_not_end_a_head_is_left(start, monkeypatch, sent: bytes) -> None:
    monkeypatch.setattr("service.edge.slow_requests.HEAD_SECONDS", 0.3)
    service = start()
    with connected(service) as connection:
        connection.sendall(sent)
        assert answered(connection).count(b"HTTP/1.1 200") == (WHOLE in sent)


def test_a_body_is_not_read_for_ever_after_its_answer(start, monkeypatch) -> None:
    monkeypatch.setattr("service.edge.slow_requests.HEAD_SECONDS", 0.5)
    with connected(start()) as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 404")
        give_up = time.monotonic() + PATIENCE_SECONDS
        with pytest.raises(ConnectionError):
            trickle(connection, give_up)


def trickle(connection: socket.socket, until: float) -> None:
    while time.monotonic() < until:
        connection.sendall(b"a")
        time.sleep(0.05)


def test_a_request_that_takes_longer_than_a_head_may_is_answered(start, monkeypatch, grey_png) -> None:
    monkeypatch.setattr("service.edge.slow_requests.HEAD_SECONDS", 0.2)
    service = start()
    body = service.client.build_request("POST", "/v1/colorizations", files={"image": grey_png}, data={"n": "1"})
    head = f"POST {body.url.path} HTTP/1.1\r\nHost: test\r\nContent-Type: {body.headers['content-type']}\r\n"
    content = body.read()
    with connected(service) as connection:
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content[:50])
        time.sleep(0.5)
        service.colorizer.gate.clear()
        connection.sendall(content[50:] + b"GET /livez HTT")  # and a part of the next
        time.sleep(0.5)
        service.colorizer.gate.set()
        assert answered(connection).startswith(b"HTTP/1.1 200")


CHUNKED = b"POST /v1/colorizations HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("begun", [b"GET /livez HTTP/1.1\r\n", CHUNKED + b"0\r\n", CHUNKED + b"1\r\n{\r\n0\r\n"])
@pytest.mark.parametrize("more", [b"a" * 1000, b"a: b\r\n" * 200])
def test_a_head_or_trailer_without_end_is_refused(start, begun: bytes, more: bytes) -> None:
    def send_much(connection: socket.socket) -> None:
        for _ in range(100 * MAX_HEAD_BYTES // len(more)):
            connection.sendall(more)

    with connected(start()) as connection:
        connection.sendall(begun)
        with pytest.raises(ConnectionError):
            send_much(connection)


def test_a_long_head_is_fine(start) -> None:
    service = start()
    assert service.client.get("/livez", headers={"X-Long": "a" * (MAX_HEAD_BYTES // 2)}).status_code == 200

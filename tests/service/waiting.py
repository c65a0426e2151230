"""Helpers that wait for a running service, and clients on bare sockets."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["PATIENCE_SECONDS", "begun_upload", "eventually", "received", "unread_answer", "until", "upload"]

PATIENCE_SECONDS = 60.0  # long enough for a busy machine; the limit of a decoder is 20
POLL_SECONDS = 0.02


def eventually(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "did not happen in time"
        time.sleep(POLL_SECONDS)


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks go on until a condition holds; fail if it does not in time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


def received(connection: socket.socket) -> bytes:
    """Return all data until the service closes the connection. Raises TimeoutError if it does not."""
    found = b""
    try:
        while more := connection.recv(65_536):
            found += more
    except ConnectionResetError:  # the service cut it off
        pass
    return found


def upload(
    service: Any, photo: bytes, *lines: str, reference: bytes | None = None, **fields: str
) -> tuple[bytes, bytes]:
    """Return head, with additional lines, and body of a request for colorings, or for a transfer."""
    path, files = "/v1/colorizations", {"image": photo}
    if reference is not None:
        path, files = "/v1/transfers", files | {"reference": reference}
    request = service.client.build_request("POST", path, files=files, data=fields)
    body = request.read()
    head = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Type: {request.headers['content-type']}", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode(), body


def begun_upload(service: Any, *lines: str) -> socket.socket:
    """Open a connection, and send the head of a request for colorings, with these lines, without the body."""
    connection = socket.create_connection(service.address, PATIENCE_SECONDS)
    connection.sendall("\r\n".join(["POST /v1/colorizations HTTP/1.1", "Host: test", *lines, "", ""]).encode())
    return connection


@contextmanager
def unread_answer(
    service: Any,
    photo: bytes,
    accept: str = "*/*",
    n: int = 1,
    buffer_bytes: int = 65_536,
    address: str = "127.0.0.1",
    reference: bytes | None = None,
) -> Iterator[socket.socket]:
    """Open a connection that requests colorings, and reads none of the answer."""
    lines, fields = (f"Accept: {accept}", "Connection: close"), {"n": str(n), "seed": "7", "output_format": "png"}
    request = b"".join(upload(service, photo, *lines, reference=reference, **fields))
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(PATIENCE_SECONDS)
        connection.bind((address, 0))
        connection.connect(service.address)
        connection.sendall(request)
        yield connection

"""A channel between two processes of one machine: a short note in JSON, and bytes that are shared, not sent."""

import errno
import json
import mmap
import os
import socket
import tempfile
from collections.abc import Iterable
from typing import IO, Any

__all__ = ["receive", "send"]

MAX_NOTE_BYTES = 16 * 1024


def send(channel: socket.socket, note: dict[str, Any], contents: Iterable[bytes | memoryview] = ()) -> None:
    """Send a note and contents, which lie behind each other in a file without a name. Raises OSError."""
    with _nameless_file() as file:
        for content in contents:
            file.write(content)
        file.flush()
        socket.send_fds(channel, [json.dumps(note).encode()], [file.fileno()])


def receive(channel: socket.socket) -> tuple[dict[str, Any], memoryview]:
    """Wait for a note and its contents. Raises EOFError once the other end is closed, TimeoutError or OSError."""
    note, files, _, _ = socket.recv_fds(channel, MAX_NOTE_BYTES, 1)
    if not note:
        raise EOFError("the other end is closed")
    if not files:  # this process has as many open as it may
        raise OSError(errno.EMFILE, "no file came with the note")
    try:
        size = os.fstat(files[0]).st_size
        contents = memoryview(mmap.mmap(files[0], size) if size else b"")
    finally:
        os.close(files[0])
    return json.loads(note), contents


def _nameless_file() -> IO[bytes]:
    # memory, where the system can; unlike /dev/shm, containers do not limit it to 64 MB
    return open(os.memfd_create("tintflow"), "wb") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()  # noqa: PTH123

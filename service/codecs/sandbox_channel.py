"""A channel between two processes on one machine: short notes in JSON, and bytes in shared memory."""

import errno
import fcntl
import json
import mmap
import os
import socket
import tempfile
from collections.abc import Iterable
from typing import IO, Any

__all__ = ["receive", "send"]

MAX_NOTE_BYTES = 16 * 1024
HAS_SEALS = hasattr(os, "memfd_create")
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL if HAS_SEALS else 0
"""Seals on sent contents: no process can change them. Shrinking a mapped file would kill its reader by SIGBUS."""


def send(channel: socket.socket, note: dict[str, Any], contents: Iterable[bytes | memoryview] = ()) -> None:
    """Send a note and contents, which follow each other in an anonymous file. Raises OSError."""
    with _nameless_file() as file:
        for content in contents:
            file.write(content)
        file.flush()
        if HAS_SEALS:
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
        socket.send_fds(channel, [json.dumps(note).encode()], [file.fileno()])


def receive(channel: socket.socket) -> tuple[dict[str, Any], memoryview]:
    """Wait for a note and its contents, which are read-only.

    Raises EOFError once the other end is closed, TimeoutError, PermissionError if the contents may still change, or
    another OSError.
    """
    note, files, _, _ = socket.recv_fds(channel, MAX_NOTE_BYTES, 1)
    if not note:
        raise EOFError("the other end is closed")
    if not files:  # this process has reached its limit of open files
        raise OSError(errno.EMFILE, "no file came with the note")
    try:
        if HAS_SEALS and fcntl.fcntl(files[0], fcntl.F_GET_SEALS) & SEALS != SEALS:
            raise PermissionError(errno.EPERM, "the contents are not sealed")
        size = os.fstat(files[0]).st_size
        # private: Linux before 6.7 cannot map a file shared that is sealed against writing
        pages = mmap.mmap(files[0], size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) if size else b""
    finally:
        os.close(files[0])
    return json.loads(note), memoryview(pages)


def _nameless_file() -> IO[bytes]:
    # in memory if the system can; unlike /dev/shm, not limited to 64 MB in containers
    if HAS_SEALS:
        return open(os.memfd_create("tintflow", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb")  # noqa: PTH123
    return tempfile.TemporaryFile()

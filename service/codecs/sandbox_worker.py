"""The decoding process: `python -m service.codecs.sandbox_worker FD` reads file after file from an open socket.

It is killed, not asked, when a file takes too long; here it limits its own memory, anew for each file.
"""

import os
import resource
import signal
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from PIL import AvifImagePlugin

from service.codecs.decoding import DecodedPhoto, decode
from service.codecs.sandbox_channel import receive, send
from service.errors import ServiceError
from service.memory import give_back

__all__ = ["main"]

HEADER_BYTES = 64 * 2**20
"""what a decoder may take, beside the upload, before and beside its pixels"""
BYTES_PER_PIXEL = 32
"""what a decoder may take for each pixel that the header announces; at 12 megapixels none was seen to need over 14"""
DECODER_THREADS = 2
STATM = Path("/proc/self/statm")  # Linux; elsewhere memory is not limited


def main(file: int) -> None:
    """Serve until the other end of the socket is closed."""
    _be_expendable()
    channel = socket.socket(fileno=file)
    while True:
        try:
            order, upload = receive(channel)
        except EOFError:
            return
        try:
            photo = _decode(bytes(upload), **order)
        except ServiceError as error:
            _unlimit_memory()
            send(channel, {"error": type(error).__name__, "detail": str(error)})
        else:
            _unlimit_memory()
            send(channel, *photo.packed())
            del photo  # before the next one comes
        del upload
        give_back()


def _decode(upload: bytes, max_pixels: int, field: str) -> DecodedPhoto:
    _limit_memory(HEADER_BYTES + 2 * len(upload))

    def allow(pixels: int) -> None:
        _limit_memory(HEADER_BYTES + 2 * len(upload) + BYTES_PER_PIXEL * pixels)

    return decode(upload, max_pixels, field, allow)


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has."""
    if STATM.exists():
        in_use = int(STATM.read_text().split()[5]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (in_use + more, most))


def _unlimit_memory() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _be_expendable() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the service finishes what it has accepted, then closes the socket
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would keep the upload
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # out of memory, the kernel ends this, not the service
    AvifImagePlugin.DEFAULT_MAX_THREADS = DECODER_THREADS  # each thread's stack and buffers count
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stderr.fileno())  # decoders print, and warn of, what files make them


if __name__ == "__main__":
    main(int(sys.argv[1]))

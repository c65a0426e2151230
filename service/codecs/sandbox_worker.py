"""The decoding process: `python -m service.codecs.sandbox_worker FD LIFE` reads file after file from an open socket.

It is killed, not asked, when a file takes too long; here it limits its own memory and processor time, anew for each
file. It ends with the service, however that ends: then nobody holds the other end of the pipe LIFE any more.
"""

import fcntl
import os
import resource
import select
import signal
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from PIL import AvifImagePlugin

from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.decoding import decode
from service.codecs.sandbox_channel import receive, send
from service.codecs.sandbox_limits import BYTES_PER_PIXEL, HEADER_BYTES, QUICK_PIXELS, processor_seconds
from service.errors import LargePhotoError, ServiceError
from service.memory import give_back

__all__ = ["main"]

DECODER_THREADS = 2
STATM = Path("/proc/self/statm")  # Linux; elsewhere memory is not limited


def main(file: int, life: int) -> None:
    """Serve until the other end of the socket is closed."""
    _be_expendable()
    _end_with(life)
    channel = socket.socket(fileno=file)
    while True:
        try:
            order, upload = receive(channel)
        except EOFError:
            return
        try:
            note, contents = _decode(channel, bytes(upload), **order).packed()
        except ServiceError as error:
            note, contents = {"error": type(error).__name__, "detail": str(error)}, []
        _unlimit()
        send(channel, note, contents)
        del upload, contents  # before the next one comes
        give_back()


def _decode(
    channel: socket.socket, upload: bytes, max_pixels: int, field: str, seconds: float, quick: bool
) -> DecodedPhoto:
    """Announce the pixels, wait for room for them, and decode.

    seconds, quick: see `processor_seconds`. A quick try raises LargePhotoError if there are over QUICK_PIXELS.
    """

    def limit(pixels: int) -> None:
        _limit_memory(HEADER_BYTES + 2 * len(upload) + BYTES_PER_PIXEL * pixels)
        _limit_time(processor_seconds(seconds, pixels, max_pixels, len(upload) if quick else None))

    announced = 0

    def allow(pixels: int) -> None:
        nonlocal announced
        if quick and pixels > QUICK_PIXELS:
            raise LargePhotoError(f"{field}: {pixels} pixels are more than a first try decodes")
        if pixels <= announced:
            return
        send(channel, {"pixels": pixels - announced})
        receive(channel)  # there is room
        announced = pixels
        limit(pixels)

    limit(0)
    return decode(upload, max_pixels, field, allow)


def _limit_time(more: float) -> None:
    """Let this process, with all its threads, compute for so many seconds more; then SIGPROF ends it."""
    signal.setitimer(signal.ITIMER_PROF, max(more, 1e-3))  # unlike RLIMIT_CPU, it knows parts of a second; 0 is none


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has."""
    if STATM.exists():
        in_use = int(STATM.read_text().split()[5]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (in_use + more, most))


def _unlimit() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
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


def _end_with(life: int) -> None:
    """Let SIGIO end this process as soon as the other end of a pipe is closed: even amid a decoder's own code."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([life], [], [], 0)[0]:  # it was closed before
        sys.exit()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""The decoding process: `python -m service.codecs.sandbox_worker FD LIFE` reads file after file from an open socket.

The service kills it when a file takes too long. The process limits its own memory and processor time anew for each
file. It ends with the service, for any reason, because the other end of the pipe LIFE then closes.
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
        del upload, contents  # free the memory before the next file
        give_back()


def _decode(
    channel: socket.socket, upload: bytes, max_pixels: int, field: str, seconds: float, quick: bool
) -> DecodedPhoto:
    """Announce the pixels, wait for room for them, and decode.

    seconds, quick: see `processor_seconds`. A quick try raises LargePhotoError for more than QUICK_PIXELS.
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
        receive(channel)  # an answer means that there is room
        announced = pixels
        limit(pixels)

    limit(0)
    return decode(upload, max_pixels, field, allow)


def _limit_time(more: float) -> None:
    """Limit the processor time of this process and its threads to `more` seconds from now; then SIGPROF ends it."""
    signal.setitimer(signal.ITIMER_PROF, max(more, 1e-3))  # RLIMIT_CPU has whole seconds only; 0 would mean no limit


def _limit_memory(more: int) -> None:
    """Limit the memory of this process to `more` bytes above its present size."""
    if STATM.exists():
        in_use = int(STATM.read_text().split()[5]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (in_use + more, most))


def _unlimit() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _be_expendable() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # ignored: the service closes the socket after its accepted requests
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would contain the upload
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # out of memory, the kernel kills this, not the service
    AvifImagePlugin.DEFAULT_MAX_THREADS = DECODER_THREADS  # each thread's stack and buffers count as memory
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stderr.fileno())  # drop what decoders print and warn about files


def _end_with(life: int) -> None:
    """Let SIGIO end this process as soon as the other end of a pipe closes, even inside a decoder's native code."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([life], [], [], 0)[0]:  # already closed
        sys.exit()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""Decoding in processes of its own: a file that hangs, crashes or swells its decoder takes nothing else down."""

import os
import signal
import socket
import subprocess
import sys
from threading import Lock

import structlog

from service import errors
from service.codecs.decoding import DecodedPhoto
from service.codecs.sandbox_channel import receive, send
from service.errors import DecoderLostError, DecodingLimitError, ServiceError, UndecodableImageError

__all__ = ["Decoders"]

REFUSALS: tuple[type[ServiceError], ...] = (
    errors.DecodingLimitError,
    errors.ImageTypeError,
    errors.TooManyPixelsError,
    errors.UndecodableImageError,
)
"""what a decoder says of a file"""
CRASHES = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP, signal.SIGSYS}
"""how a process ends itself: the file's doing, as far as anyone can tell"""
RETRY_SECONDS = 1
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # decoders have none of the sums that these speed up

log = structlog.get_logger()


class Decoders:
    """As many decoding processes as are at work at once; they stay for the next files. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        """seconds: for one file, from its arrival at a decoder to its pixels."""
        self._seconds = seconds
        self._idle: list[_Decoder] = []
        self._all: set[_Decoder] = set()
        self._lock = Lock()
        self._closed = False

    def start(self) -> None:
        """Start one process, without waiting for it, so that it is there for the next file."""
        decoder = self._new()
        with self._lock:
            self._idle.append(decoder)

    def decode(self, data: bytes, max_pixels: int, field: str = "image") -> DecodedPhoto:
        """Do what `service.codecs.decoding.decode` does, within limits of time and memory.

        Raises what it raises, and DecodingLimitError or DecoderLostError.
        """
        decoder = self._take()
        try:
            photo = decoder.decode(data, max_pixels, field, self._seconds)
        except (EOFError, OSError) as error:  # TimeoutError is an OSError
            ending = decoder.end()
            log.warning("decoder_lost", ending=ending, timeout=isinstance(error, TimeoutError), bytes=len(data))
            self._forget(decoder)
            if not self._closed:
                self.start()
            raise self._explain(error, ending, field) from error
        except ServiceError:
            self._put_back(decoder)
            raise
        self._put_back(decoder)
        return photo

    def close(self) -> None:
        """End all processes, those at work too."""
        with self._lock:
            self._closed = True
            decoders = list(self._all)
            self._idle.clear()
        for decoder in decoders:
            decoder.end()

    def _new(self) -> "_Decoder":
        try:
            decoder = _Decoder()
        except OSError as error:  # no memory, no more processes or files
            raise DecoderLostError("no process to decode in can be started", RETRY_SECONDS) from error
        with self._lock:
            self._all.add(decoder)
        return decoder

    def _take(self) -> "_Decoder":
        """Return one that is idle and lives, or a new one."""
        while True:
            with self._lock:
                decoder = self._idle.pop() if self._idle else None
            if decoder is None:
                return self._new()
            if decoder.lives:
                return decoder
            log.warning("idle_decoder_lost", ending=decoder.end())
            self._forget(decoder)

    def _forget(self, decoder: "_Decoder") -> None:
        with self._lock:
            self._all.discard(decoder)

    def _put_back(self, decoder: "_Decoder") -> None:
        with self._lock:
            self._idle.append(decoder)

    def _explain(self, error: Exception, ending: int, field: str) -> ServiceError:
        if isinstance(error, TimeoutError):
            return DecodingLimitError(f"{field}: takes more than {self._seconds:g} seconds to decode")
        if -ending in CRASHES:
            return UndecodableImageError(f"{field}: the file makes its decoder crash")
        return DecoderLostError(f"{field}: the process that decoded it was ended from outside", RETRY_SECONDS)


class _Decoder:
    """One process that runs `service.codecs.sandbox_worker`, and the socket to it."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, this package
                [sys.executable, "-m", "service.codecs.sandbox_worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C ends the service, which first finishes what it has accepted
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"} | ONE_THREAD,
            )

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def decode(self, data: bytes, max_pixels: int, field: str, seconds: float) -> DecodedPhoto:
        """Raises TimeoutError, EOFError or OSError if no answer comes: then this decoder must be ended."""
        self._channel.settimeout(seconds)
        send(self._channel, {"max_pixels": max_pixels, "field": field}, [data])
        note, contents = receive(self._channel)
        if "error" in note:
            refusals = {kind.__name__: kind for kind in REFUSALS}
            raise refusals[note["error"]](note["detail"])
        return DecodedPhoto.unpacked(note, contents)

    def end(self) -> int:
        """Kill the process, if it lives. Returns its exit status; below 0, the signal that ended it."""
        self._process.kill()
        ending = self._process.wait()
        self._channel.close()
        return ending

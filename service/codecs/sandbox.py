"""Decoding in separate processes: a file that hangs, crashes or bloats its decoder affects nothing else."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock

import structlog

from service import errors
from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.room import Room, Share
from service.codecs.sandbox_channel import receive, send
from service.codecs.sandbox_limits import BRIEF_SECONDS, processor_seconds
from service.errors import DecoderLostError, ServiceError, SlowFileError, UndecodableImageError

__all__ = ["SLOW_NICE", "Decoders", "Ticket"]

REFUSALS: tuple[type[ServiceError], ...] = (
    errors.DecodingLimitError,
    errors.ImageTypeError,
    errors.LargePhotoError,
    errors.TooManyPixelsError,
    errors.UndecodableImageError,
)
"""errors that a decoder may report"""
CRASHES = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP, signal.SIGSYS}
"""signals of a crash, for which the file is blamed"""
RETRY_SECONDS = 1
PATIENCE = 20
"""Maximum time of a file, as a multiple of its processor time, for a busy machine. A file that exceeds it is not to
blame: the system ends a decoder that has used up its processor time."""
SLOW_NICE = 10
"""Niceness of slow files' decoders: in competition with the model and other files, a tenth of a processor."""
INHERITED = re.compile(r"PATH|HOME|TMPDIR|LANG|LC_.*|(LD|DYLD|MALLOC|GLIBC|NUMBA|OPENCV|OMP)(_.*)?|PYTHON.*")
"""Environment variables that decoders inherit. Others are withheld, since they may be secrets."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # decoders do no linear algebra

log = structlog.get_logger()


class Decoders:
    """Decoding processes, which are reused for later files. Thread-safe.

    First tries have separate processes: a process with raised niceness cannot lower it again.
    """

    def __init__(self, seconds: float, room: Room | None = None, slow_nice: int = 0) -> None:
        """seconds: processor time for one file; see `processor_seconds`. room: limit on pixels; None: no limit.

        slow_nice: niceness of processes for files after their first try.
        """
        self._seconds = seconds
        self._slow_nice = slow_nice
        self._room = room or Room(sys.maxsize)
        self._idle: list[_Decoder] = []
        self._all: set[_Decoder] = set()
        self._lock = Lock()
        self._closed = False

    def start(self, quick: bool = False) -> None:
        """Start a process for the next file, without waiting for it. quick: for first tries."""
        self._keep(self._new(quick))

    def decode(
        self,
        data: bytes,
        max_pixels: int,
        field: str = "image",
        ticket: "Ticket | None" = None,
        quick: bool = False,
        brief: bool = False,
    ) -> DecodedPhoto:
        """Do what `service.codecs.decoding.decode` does, within limits of time and memory.

        ticket: lets another thread cancel. quick: a first try, with little time (see `processor_seconds`) and at most
        QUICK_PIXELS. brief: a first try with BRIEF_SECONDS.
        Raises the errors of `decode`, and SlowFileError, LargePhotoError or DecoderLostError.
        """
        ticket = ticket or Ticket()
        if ticket.cancelled:
            raise DecoderLostError(f"{field}: nobody waits for it", RETRY_SECONDS)
        decoder = self._take(quick)
        try:
            with ticket.holding(decoder):
                photo = decoder.decode(data, max_pixels, field, self._seconds, brief)
        except ServiceError:
            self._put_back(decoder, ticket)
            raise
        except Exception as error:  # after an unexpected error, the decoder's state is unknown
            ending = self._end(decoder)
            if not ticket.cancelled:
                log.warning("decoder_lost", ending=ending, reason=type(error).__name__, bytes=len(data), quick=quick)
            raise self._explain(error, ending, field) from error
        except BaseException:
            self._end(decoder)
            raise
        self._put_back(decoder, ticket)
        return photo

    def close(self) -> None:
        """End all processes, including those at work."""
        with self._lock:
            self._closed = True
            decoders = list(self._all)
            self._idle.clear()
        for decoder in decoders:
            decoder.end()

    def _new(self, quick: bool) -> "_Decoder":
        try:
            decoder = _Decoder(self._room, quick, self._slow_nice)
        except OSError as error:  # out of memory, processes or files
            raise DecoderLostError("no decoder can be started; retry later", RETRY_SECONDS) from error
        with self._lock:
            self._all.add(decoder)
        return decoder

    def _take(self, quick: bool) -> "_Decoder":
        """Return a live idle decoder, or a new one."""
        while True:
            with self._lock:
                decoder = next((each for each in self._idle if each.quick == quick), None)
                if decoder is not None:
                    self._idle.remove(decoder)
            if decoder is None:
                return self._new(quick)
            if decoder.lives:
                return decoder
            log.warning("idle_decoder_lost", ending=decoder.end())
            self._forget(decoder)

    def _forget(self, decoder: "_Decoder") -> None:
        with self._lock:
            self._all.discard(decoder)

    def _put_back(self, decoder: "_Decoder", ticket: "Ticket") -> None:
        if ticket.cancelled:  # its process may have been killed just after the answer
            self._end(decoder)
        else:
            self._keep(decoder)

    def _keep(self, decoder: "_Decoder") -> None:
        """Keep a decoder for the next file; after `close`, end it."""
        with self._lock:
            if not self._closed:
                self._idle.append(decoder)
                return
        self._end(decoder)

    def _end(self, decoder: "_Decoder") -> int:
        """End a decoder, and start another for the next file."""
        ending = decoder.end()
        self._forget(decoder)
        if not self._closed:
            with suppress(DecoderLostError):  # the next file will start one, or report why it cannot
                self.start(decoder.quick)
        return ending

    def _explain(self, error: Exception, ending: int, field: str) -> ServiceError:
        if isinstance(error, TimeoutError):
            return DecoderLostError(f"{field}: the process that decoded it did not answer", RETRY_SECONDS)
        if -ending == signal.SIGPROF:
            return SlowFileError(f"{field}: takes too long to decode for its size")
        if -ending in CRASHES:
            return UndecodableImageError(f"{field}: the file makes its decoder crash")
        return DecoderLostError(f"{field}: its decoder was killed; retry later", RETRY_SECONDS)


class Ticket:
    """Lets one thread cancel the decoding that another waits for. Thread-safe."""

    def __init__(self) -> None:
        self._decoder: _Decoder | None = None
        self._lock = Lock()
        self.cancelled = False

    def cancel(self) -> float:
        """Kill the decoder at work, if any, and start none for this file.

        Returns the processor seconds spent on the file.
        """
        with self._lock:
            self.cancelled = True
            if self._decoder is None:
                return 0.0
            seconds = self._decoder.spent_seconds
            self._decoder.kill()
            return seconds

    @contextmanager
    def holding(self, decoder: "_Decoder") -> Iterator[None]:
        """Register the decoder at work, for `cancel`. Raises EOFError if the ticket is already cancelled."""
        with self._lock:
            if self.cancelled:
                raise EOFError("nobody waits for it")
            self._decoder = decoder
        try:
            yield
        finally:
            with self._lock:
                self._decoder = None


class _Decoder:
    """One process that runs `service.codecs.sandbox_worker`, and the socket to it."""

    def __init__(self, room: Room, quick: bool, slow_nice: int) -> None:
        self.quick = quick
        self._room = room
        self._share: Share | None = None
        self._before = 0.0
        inherited = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
        self._channel, channel = socket.socketpair()
        with ExitStack() as ours, ExitStack() as theirs:
            ours.enter_context(self._channel)
            theirs.enter_context(channel)
            life, end = os.pipe()
            theirs.callback(os.close, life)
            self._life = ours.enter_context(os.fdopen(end, "wb", 0))  # closes when this process ends, for any reason
            self._process = subprocess.Popen(  # noqa: S603 - this Python, this package
                [sys.executable, "-m", "service.codecs.sandbox_worker", str(channel.fileno()), str(life)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[channel.fileno(), life],
                process_group=0,  # keeps Ctrl-C from decoders: the service first finishes its accepted requests
                env=inherited | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"} | ONE_THREAD,
            )
            ours.pop_all()  # it started: keep our ends open
        if slow_nice and not quick:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + slow_nice)

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @property
    def spent_seconds(self) -> float:
        """Processor seconds spent on the current file; 0 if the system does not tell."""
        return self._computed() - self._before

    def decode(self, data: bytes, max_pixels: int, field: str, seconds: float, brief: bool = False) -> DecodedPhoto:
        """Raise TimeoutError, EOFError, OSError or ValueError without a valid answer; then end this decoder."""
        self._before = self._computed()
        self._channel.settimeout(PATIENCE * processor_seconds(seconds, 0, max_pixels))
        own = min(seconds, BRIEF_SECONDS) if brief else seconds
        order = {"max_pixels": max_pixels, "field": field, "seconds": own, "quick": self.quick}
        self._share = share = self._room.enter(self.quick)
        try:
            send(self._channel, order, [data])
            note, contents = receive(self._channel)
            while "pixels" in note:
                patience = PATIENCE * processor_seconds(seconds, share.held + note["pixels"], max_pixels)
                self._room.take(share, note["pixels"], patience)
                self._channel.settimeout(patience)
                send(self._channel, {})
                note, contents = receive(self._channel)
        finally:
            self._room.leave(share)
        if "error" in note:
            refusals = {kind.__name__: kind for kind in REFUSALS}
            raise refusals[note["error"]](note["detail"])
        return DecodedPhoto.unpacked(note, contents, share.held)

    def kill(self) -> None:
        """Kill the process. Threads that wait for its answer, or for room, get an error."""
        self._process.kill()
        if self._share is not None:
            self._room.give_up(self._share)

    def end(self) -> int:
        """Kill the process if it is alive. Returns its exit status; below 0, minus the signal that ended it."""
        self.kill()
        ending = self._process.wait()
        self._channel.close()
        self._life.close()
        return ending

    def _computed(self) -> float:
        """Return the processor time of the process."""
        try:
            return time.clock_gettime(~self._process.pid << 3 | 2)  # Linux's id of this clock: clock_getcpuclockid(3)
        except OSError:
            return 0.0

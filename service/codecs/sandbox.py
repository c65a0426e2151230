"""Decoding in processes of its own: a file that hangs, crashes or swells its decoder takes nothing else down."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from threading import Condition, Lock

import structlog

from service import errors
from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.sandbox_channel import receive, send
from service.codecs.sandbox_limits import processor_seconds
from service.errors import DecoderLostError, DecodingLimitError, ServiceError, UndecodableImageError

__all__ = ["Decoders", "Room", "Ticket"]

REFUSALS: tuple[type[ServiceError], ...] = (
    errors.DecodingLimitError,
    errors.ImageTypeError,
    errors.LargePhotoError,
    errors.TooManyPixelsError,
    errors.UndecodableImageError,
)
"""errors that a decoder may report"""
CRASHES = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP, signal.SIGSYS}
"""how a process ends itself: the file's doing, as far as anyone can tell"""
RETRY_SECONDS = 1
PATIENCE = 20
"""How many times as long as its processor time a file may take, on a machine that is busy. Then it is no file's doing:
the system ends a decoder that has used up its processor time."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # decoders have none of the sums that these speed up

log = structlog.get_logger()


class Decoders:
    """Decoding processes, as many as work at once; they stay for the next files. Thread-safe."""

    def __init__(self, seconds: float, room: "Room | None" = None) -> None:
        """seconds: of processor time for one file; see `processor_seconds`. room: for pixels; None: no limit."""
        self._seconds = seconds
        self._room = room or Room(sys.maxsize)
        self._idle: list[_Decoder] = []
        self._all: set[_Decoder] = set()
        self._lock = Lock()
        self._closed = False

    def start(self) -> None:
        """Start one process, without waiting for it, so that it is there for the next file."""
        decoder = self._new()
        with self._lock:
            self._idle.append(decoder)

    def decode(
        self,
        data: bytes,
        max_pixels: int,
        field: str = "image",
        ticket: "Ticket | None" = None,
        quick: bool = False,
    ) -> DecodedPhoto:
        """Do what `service.codecs.decoding.decode` does, within limits of time and memory.

        ticket: lets another thread end this. quick: a first try, with little time (see `processor_seconds`) and for at
        most QUICK_PIXELS. Raises what `decode` raises, and DecodingLimitError, LargePhotoError or DecoderLostError.
        """
        decoder = self._take()
        try:
            if ticket is not None:
                ticket.hold(decoder)
            photo = decoder.decode(data, max_pixels, field, self._seconds, self._room, quick)
        except ServiceError:
            self._put_back(decoder, ticket)
            raise
        except Exception as error:  # whatever it is, nobody knows what this decoder does now
            ending = self._end(decoder)
            if ticket is None or not ticket.cancelled:
                log.warning("decoder_lost", ending=ending, reason=type(error).__name__, bytes=len(data), quick=quick)
            raise self._explain(error, ending, field) from error
        except BaseException:
            self._end(decoder)
            raise
        self._put_back(decoder, ticket)
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
            raise DecoderLostError("no decoder can be started; retry later", RETRY_SECONDS) from error
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

    def _put_back(self, decoder: "_Decoder", ticket: "Ticket | None") -> None:
        if ticket is not None:
            ticket.let_go()
        with self._lock:
            self._idle.append(decoder)

    def _end(self, decoder: "_Decoder") -> int:
        """End a decoder, and have another ready for the next file."""
        ending = decoder.end()
        self._forget(decoder)
        if not self._closed:
            with suppress(DecoderLostError):  # then the next file starts one, or is told why not
                self.start()
        return ending

    def _explain(self, error: Exception, ending: int, field: str) -> ServiceError:
        if isinstance(error, TimeoutError):
            return DecoderLostError(f"{field}: the process that decoded it did not answer", RETRY_SECONDS)
        if -ending == signal.SIGPROF:
            return DecodingLimitError(f"{field}: takes too long to decode for its size")
        if -ending in CRASHES:
            return UndecodableImageError(f"{field}: the file makes its decoder crash")
        return DecoderLostError(f"{field}: its decoder was killed; retry later", RETRY_SECONDS)


class Room:
    """How many pixels may be decoded at once, by all decoders together. Thread-safe."""

    def __init__(self, pixels: int, beside: int = 0) -> None:
        """pixels: of files on their second try. beside: how many more there are if some are on their first."""
        self._pixels = pixels
        self._beside = beside
        self._held = self._held_slow = 0
        self._change = Condition()

    def take(self, pixels: int, own: int = 0, seconds: float | None = None, quick: bool = False) -> None:
        """Wait until there is room, first come, first served but for what fits beside. Raises TimeoutError.

        own: what the same file holds already. Alone, a file may take more than there is. seconds: None waits for ever.
        quick: on its first try.
        """
        slow = 0 if quick else pixels

        def fits() -> bool:
            if self._held <= own:
                return True
            return self._held_slow + slow <= self._pixels and self._held + pixels <= self._pixels + self._beside

        with self._change:
            if not self._change.wait_for(fits, seconds):
                raise TimeoutError(f"no room for {pixels} pixels within {seconds:g} seconds")
            self._held += pixels
            self._held_slow += slow

    def give_back(self, pixels: int, quick: bool = False) -> None:
        """Make room again."""
        with self._change:
            self._held -= pixels
            self._held_slow -= 0 if quick else pixels
            self._change.notify_all()


class Ticket:
    """Lets one thread end the decoding that another waits for. Thread-safe."""

    def __init__(self) -> None:
        self._decoder: _Decoder | None = None
        self._lock = Lock()
        self.cancelled = False

    def cancel(self) -> None:
        """Kill the decoder that is at work, if one is; one that would be is not."""
        with self._lock:
            self.cancelled = True
            if self._decoder is not None:
                self._decoder.kill()

    def hold(self, decoder: "_Decoder") -> None:
        """Say who is at work. Raises EOFError if nobody waits for it any more."""
        with self._lock:
            if self.cancelled:
                raise EOFError("nobody waits for it")
            self._decoder = decoder

    def let_go(self) -> None:
        """Say that the work is done."""
        with self._lock:
            self._decoder = None


class _Decoder:
    """One process that runs `service.codecs.sandbox_worker`, and the socket to it."""

    def __init__(self) -> None:
        self._channel, channel = socket.socketpair()
        with ExitStack() as ours, ExitStack() as theirs:
            ours.enter_context(self._channel)
            theirs.enter_context(channel)
            life, self._life = os.pipe()  # its end is the end of this process, however that came
            ours.callback(os.close, self._life)
            theirs.callback(os.close, life)
            self._process = subprocess.Popen(  # noqa: S603 - this Python, this package
                [sys.executable, "-m", "service.codecs.sandbox_worker", str(channel.fileno()), str(life)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[channel.fileno(), life],
                start_new_session=True,  # Ctrl-C ends the service, which first finishes what it has accepted
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"} | ONE_THREAD,
            )
            ours.pop_all()  # it started, so what is ours stays open

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def decode(
        self, data: bytes, max_pixels: int, field: str, seconds: float, room: "Room", quick: bool
    ) -> DecodedPhoto:
        """Raise TimeoutError, EOFError or OSError if no answer comes: then this decoder must be ended."""
        self._channel.settimeout(PATIENCE * processor_seconds(seconds, 0, max_pixels))
        order = {"max_pixels": max_pixels, "field": field, "seconds": seconds, "quick": quick}
        send(self._channel, order, [data])
        note, contents = receive(self._channel)
        held = 0
        try:
            while "pixels" in note:
                patience = PATIENCE * processor_seconds(seconds, held + note["pixels"], max_pixels)
                room.take(note["pixels"], held, patience, quick)
                held += note["pixels"]
                self._channel.settimeout(patience)
                send(self._channel, {})
                note, contents = receive(self._channel)
        finally:
            room.give_back(held, quick)
        if "error" in note:
            refusals = {kind.__name__: kind for kind in REFUSALS}
            raise refusals[note["error"]](note["detail"])
        return DecodedPhoto.unpacked(note, contents)

    def kill(self) -> None:
        """Kill the process; who waits for its answer finds that it ended."""
        self._process.kill()

    def end(self) -> int:
        """Kill the process, if it lives. Returns its exit status; below 0, the signal that ended it."""
        self._process.kill()
        ending = self._process.wait()
        self._channel.close()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        return ending

"""Flow control of answers: sent as fast as clients read; a client that stops reading is cut off."""

import asyncio
import fcntl
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Sending", "Watched"]

PIECE_BYTES = 256 * 1024
KERNEL_BYTES = 256 * 1024
"""Size of the socket's send buffer (Linux doubles it). By default it grows to megabytes per connection."""
SEND_SECONDS = 20.0
"""Maximum time in which a client reads nothing of a pending answer."""
LINGER_SECONDS = 30.0
"""Maximum time for which input is read and discarded after a client's last answer."""
AT_ONCE = struct.pack("ii", 1, 0)  # struct linger
LOOKS = 4
"""Number of checks of a connection in SEND_SECONDS."""

log = structlog.get_logger()


class Watched:
    """A transport that aborts if its client reads nothing for SEND_SECONDS, or if an answer is broken off.

    A plain `close` waits until all written bytes are read, which may be never.
    """

    def __init__(
        self, transport: asyncio.Transport, is_answering: Callable[[], bool], is_receiving: Callable[[], bool]
    ) -> None:
        """is_answering: whether an answer has begun but is not complete.

        is_receiving: whether the last answer is complete, and its client may still send.
        """
        self._transport = transport
        self._is_answering, self._is_receiving = is_answering, is_receiving
        self.lingers = False
        """whether our end is closed, and further input is discarded"""
        self._lingering: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._written = 0
        self._read = 0
        """bytes that the client had read when it last read more"""
        self._since = self._loop.time()
        self._is_paused = self._is_held = False
        self._timer = self._loop.call_later(SEND_SECONDS / LOOKS, self._look)
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Count the bytes and write them, unless the client is gone."""
        if self._transport.is_closing() or self.lingers:
            return
        self._written += len(data)
        self._transport.write(data)

    def close(self) -> None:
        """Close once all is read; break off an incomplete answer.

        While the client still sends, the first call closes only our end: a reset could make the client lose the answer
        (RFC 9112, 9.6).
        """
        if self._is_answering():
            self.abort()
        elif self._is_receiving() and not self.lingers and not self._transport.is_closing():
            self.lingers = True
            self._transport.write_eof()
            self._is_paused = False
            self.hold_reading(False)
            self._lingering = self._loop.call_later(LINGER_SECONDS, self._transport.close)
        else:
            self._transport.close()

    def abort(self) -> None:
        """Drop unsent bytes, including the kernel's, and reset the connection."""
        if self._socket is not None and not self._transport.is_closing():
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self._transport.abort()

    def pause_reading(self) -> None:
        """Stop reading until the application asks for more."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resume reading, unless it is held."""
        self._is_paused = False
        self.hold_reading(self._is_held)

    def hold_reading(self, held: bool) -> None:
        """Stop reading, even if the application asks for more, or let the application decide again."""
        self._is_held = held
        if held:
            self._transport.pause_reading()
        elif not self._is_paused:
            self._transport.resume_reading()

    @property
    def unread(self) -> int:
        """Number of bytes that the client has not taken, as far as the system tells: on Linux, the kernel's, too."""
        waiting = self._transport.get_write_buffer_size()
        if sys.platform != "linux" or self._socket is None or self._transport.is_closing():
            return waiting
        left = bytearray(4)
        fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, left)
        return waiting + int.from_bytes(left, sys.byteorder)

    def stop(self) -> None:
        self._timer.cancel()
        if self._lingering is not None:
            self._lingering.cancel()

    def _look(self) -> None:
        if (self._is_paused or self._is_held) and self._has_left():
            self.abort()
            return
        waiting, now = self._transport.get_write_buffer_size(), self._loop.time()
        read = self._written - waiting
        if not waiting or read > self._read:
            self._read, self._since = read, now
        elif now - self._since >= SEND_SECONDS:
            log.warning("client_does_not_read", bytes=waiting)
            self.abort()
            return
        self._timer = self._loop.call_later(SEND_SECONDS / LOOKS, self._look)

    def _has_left(self) -> bool:
        """Say whether the client closed its end (Linux only). The event loop notices this only while it reads."""
        if sys.platform != "linux" or self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    def __getattr__(self, name: str) -> Any:  # everything else is the transport's own
        return getattr(self._transport, name)


class Sending:
    """ASGI middleware: passes a body on in pieces, each once the client has read nearly all before it.

    Passed on whole, it would stay in the server's memory until the client has read it, which may be never.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        """seconds: maximum time to read a whole answer, which is then broken off."""
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        deadline = asyncio.timeout(None)

        async def send_in_pieces(message: Message) -> None:
            if message["type"] == "http.response.start":
                deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
            body = message.get("body", b"")
            if len(body) <= PIECE_BYTES:
                await send(message)
                return
            starts = range(0, len(body), PIECE_BYTES)
            for start in starts:
                more = start != starts[-1] or message.get("more_body", False)
                await send({**message, "body": body[start : start + PIECE_BYTES], "more_body": more})

        try:
            async with deadline:
                await self._app(scope, receive, send_in_pieces)
        except TimeoutError:  # the answer is incomplete, so the server aborts the connection
            if not deadline.expired():
                raise
            log.warning("answer_not_read", path=scope["path"])

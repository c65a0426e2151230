"""Connections: limits on their number, and on time and size of everything but a request's body."""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.edge.slow_readers import Watched

__all__ = ["Connection"]

MAX_HEAD_BYTES = 64 * 1024
"""Maximum bytes of a request's head, and of what follows its body."""
HEAD_SECONDS = 30.0
"""From the connection, or the first byte of a further request, to the end of the head; then the deadline holds."""
PIECE_BYTES = 16 * 1024
"""Maximum bytes that one turn of the event loop parses: 256 KiB of small requests, chunks or headers take 30 ms."""
RETRY_SECONDS = 1
TOO_MANY = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "code": "too_many_connections",
    "detail": "as many connections as the limit allows are at work",
}


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits of its own.

    It takes one request at a time, and lets one wait: an answer may be complete for its client before it is for us.
    Where a client sends still more, the connection is closed after the answer to the one that waits (RFC 9112, 9.3.2:
    such a client sends the rest again). uvicorn would keep them all.
    """

    _watched: Watched

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None  # uvicorn's own answer is no problem, and it counts idle connections, too
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)
        self._bytes = 0
        """bytes that came since a head, a piece of a body or a request ended"""
        self._receiving = False
        self._pipelined = False
        self._before: RequestResponseCycle | None = None
        self._unparsed = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch what is sent; where there are too many connections, close an idle one, or else this one."""
        self._watched = Watched(transport, self._is_answering)
        super().connection_made(self._watched)
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            others = (each for each in self.connections if isinstance(each, Connection) and each is not self)
            idle = next((each for each in others if each.is_idle), None)
            if idle is not None:
                idle.transport.abort()
            else:
                self.transport.write(_refusal())
                self.transport.close()

    @property
    def is_idle(self) -> bool:
        """Whether no request is at work, or on its way here."""
        return not self._receiving and not self._is_at_work()

    def on_message_begin(self) -> None:
        """Begin to wait for a head."""
        if self.pipeline:
            self._pipelined = True
            self.cycle.keep_alive = False
        if self._pipelined:
            return
        super().on_message_begin()
        self._receiving = True
        self._wait()

    def on_url(self, url: bytes) -> None:
        """Take it in."""
        if not self._pipelined:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take it in."""
        if not self._pipelined:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the request go its way."""
        if self._pipelined:
            return
        self._timer.cancel()
        self._bytes = 0
        self._before = self.cycle
        super().on_headers_complete()
        if self.pipeline:
            self.flow.resume_reading()  # uvicorn reads no more, and so would not see that the client goes away

    def on_body(self, body: bytes) -> None:
        """Let the request count it."""
        if self._pipelined:
            return
        self._bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Know that all of a request is there."""
        if self._pipelined:
            return
        self._timer.cancel()
        self._bytes, self._receiving = 0, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that is answered already, but not for ever."""
        super().on_response_complete()
        if self._receiving:
            self._wait()

    def data_received(self, data: bytes) -> None:
        """Parse a piece now, and the rest in later turns of the event loop; until then nothing more is read."""
        if self._pipelined:
            self._throw_away(data)
            return
        waiting, self._unparsed = bool(self._unparsed), self._unparsed + data
        if not waiting:
            self._parse()

    def _parse(self) -> None:
        """Refuse a head that is too long, and parse no further request while one is at work."""
        piece, self._unparsed = self._unparsed[:PIECE_BYTES], self._unparsed[PIECE_BYTES:]
        if not self.transport.is_closing():
            self._bytes += len(piece)
            super().data_received(piece)
        if self._pipelined:
            self._throw_away(self._unparsed)
            return
        if self._bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        self._watched.hold_reading(bool(self._unparsed))
        if self._unparsed:
            self.loop.call_soon(self._parse)

    def _throw_away(self, data: bytes) -> None:
        """Read some of what is not parsed, so that the client's going away is seen, but not without end."""
        self._unparsed = b""
        self._bytes += len(data)
        self._watched.hold_reading(self._bytes > MAX_HEAD_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and let the request at work know: uvicorn tells the latest alone, which may wait behind it."""
        self._timer.cancel()
        self._watched.stop()
        if self._before is not None:
            self._before.disconnected = True
            self._before.message_event.set()
        super().connection_lost(exc)

    def _is_at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_answering(self) -> bool:
        cycles = (each for each in (self._before, self.cycle) if each is not None)
        return any(each.response_started and not each.response_complete for each in cycles)

    def _wait(self) -> None:
        self._timer.cancel()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)

    def _leave(self) -> None:
        if self._is_at_work():  # the request before
            self._wait()
        else:
            self.transport.close()


def _refusal() -> bytes:
    body = json.dumps(TOO_MANY).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"retry-after: {RETRY_SECONDS}",
        "connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body

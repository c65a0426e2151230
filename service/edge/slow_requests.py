"""Connections: limits on their number, and on time and size of everything but a request's body."""

import asyncio
import re
from functools import partial
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.edge.refusals import MALFORMED, MAX_TARGET_BYTES, TOO_LONG, TOO_MANY, UPGRADING, refusal
from service.edge.slow_readers import Watched

__all__ = ["Connection"]

MAX_HEAD_BYTES = 64 * 1024
"""Maximum bytes of a request's head, and of its trailers."""
HEAD_SECONDS = 30.0
"""Maximum time from connecting, or a further request's first byte, to the end of its head. Then the deadline holds."""
PIECE_BYTES = 16 * 1024
"""Maximum bytes parsed in one turn of the event loop: 256 KiB of small requests, chunks or headers take 30 ms."""
SMALL_CHUNK = 64
"""bytes that a chunk of a body should have"""
MAX_SMALL_CHUNKS = 250_000
"""Maximum chunks of a body with fewer bytes per chunk than SMALL_CHUNK: these take the event loop 0.1 s."""
HEAD_END = b"\r\n\r\n"
UPGRADE = re.compile(rb"(?<=\n)upgrade(?=[ \t]*:)", re.IGNORECASE)
BODY_HEADERS = {b"content-length", b"transfer-encoding"}
NO_UPGRADE = b"ignored"
"""A word of the same length: no upgrade is supported, and httptools drops the body of a request for one."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits of its own.

    It handles one request at a time and lets one wait, because an answer may be complete for the client before it is
    for the server. If a client sends more, the connection closes after the answer to the waiting request (RFC 9112,
    9.3.2: the client then sends the rest again). uvicorn would queue them all.
    """

    _watched: Watched

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None  # uvicorn would not answer with a problem, and counts idle connections, too
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)
        self._bytes = 0
        """bytes received since the end of a head, a piece of a body or a request"""
        self._receiving = self._in_body = False
        self._chunks = self._chunk_bytes = 0
        self._tail = b""
        """the last bytes of an incomplete head"""
        self._ignoring = False
        self._before: RequestResponseCycle | None = None
        self._unparsed = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch the transport. If there are too many connections, close one that is not at work, or else this one."""
        self._watched = Watched(transport, self._is_answering, self._is_receiving)
        super().connection_made(cast(asyncio.Transport, self._watched))
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            others = (each for each in self.connections if isinstance(each, Connection) and each is not self)
            free = [each for each in others if not each._is_at_work() and not each.transport.is_closing()]
            if free:
                min(free, key=Connection._worth).transport.abort()
            else:
                self._refuse(TOO_MANY)

    def on_message_begin(self) -> None:
        if self.pipeline:
            self._ignoring = True
            self.cycle.keep_alive = False
        if self._ignoring:
            return
        super().on_message_begin()
        self._receiving = True
        self._wait()

    def on_url(self, url: bytes) -> None:
        """Accept the target, unless it is too long: looking up a path of thousands of folders is slow."""
        if self._ignoring:
            return
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._refuse(TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._ignoring:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._ignoring:
            return
        self._timer.cancel()
        self._bytes = self._chunks = self._chunk_bytes = 0
        self._in_body = True
        if self.parser.should_upgrade() and BODY_HEADERS.intersection(name for name, _ in self.headers):
            self._refuse(UPGRADING)  # the header arrived in pieces; see NO_UPGRADE
            return
        self._before = self.cycle
        super().on_headers_complete()
        if self.pipeline:
            self.flow.resume_reading()  # uvicorn stops reading, and would not notice that the client leaves

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = partial(_unchunked, app, cycle)
        super()._start_asgi_task(cycle, app)

    def on_chunk_header(self) -> None:
        """Count chunks: a body of very small ones takes as much time as a far larger body."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        if self._ignoring:
            return
        self._bytes = 0
        self._chunk_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._ignoring:
            return
        self._timer.cancel()
        self._bytes, self._receiving, self._in_body = 0, False, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that is already answered, for a limited time."""
        super().on_response_complete()
        if self._watched.lingers:
            self._unset_keepalive_if_required()  # it may be shorter
        if self._receiving:
            self._wait()

    def data_received(self, data: bytes) -> None:
        """Parse a piece now, and the rest in later turns of the event loop. Read nothing more until then."""
        if self._watched.lingers:
            self._watched.hold_reading(True)  # else uvloop would read megabytes in one turn of the event loop
            self.loop.call_soon(self._watched.hold_reading, False)
            return
        if self._ignoring:
            self._throw_away(data)
            return
        waiting, self._unparsed = bool(self._unparsed), self._unparsed + data
        if not waiting:
            self._parse()

    def _parse(self) -> None:
        """Refuse a head that is too long, and parse no further request while one is at work."""
        piece, self._unparsed = self._unparsed[:PIECE_BYTES], self._unparsed[PIECE_BYTES:]
        if not self.transport.is_closing() and not self._watched.lingers:
            self._bytes += len(piece)
            super().data_received(piece if self._in_body else self._without_upgrade(piece))
        if self._ignoring:
            self._throw_away(self._unparsed)
            return
        if not self.transport.is_closing():
            if self._bytes > MAX_HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")
            elif self._chunks - 2 > max(MAX_SMALL_CHUNKS, self._chunk_bytes // SMALL_CHUNK):
                self.send_400_response("The body of the request has too many small chunks.")
        self._watched.hold_reading(bool(self._unparsed))
        if self._unparsed:
            self.loop.call_soon(self._parse)

    def shutdown(self) -> None:
        """Close, without waiting for a client that has its answer and still sends."""
        super().shutdown()
        if self._watched.lingers:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem, and close; uvicorn would answer with plain text."""
        self.transport.write(refusal(*MALFORMED, msg))
        self.transport.close()

    def _without_upgrade(self, piece: bytes) -> bytes:
        """Return a piece that begins in a head, changed up to the head's end. An earlier piece may begin the head."""
        head, end, body = (self._tail + piece).partition(HEAD_END)
        changed = UPGRADE.sub(NO_UPGRADE, head) + end + body
        before, self._tail = len(self._tail), b"" if end else head[1 - len(HEAD_END) :]
        return changed[before:]

    def _throw_away(self, data: bytes) -> None:
        """Read a limited amount without parsing it, to notice when the client leaves."""
        self._unparsed = b""
        self._bytes += len(data)
        self._watched.hold_reading(self._bytes > MAX_HEAD_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and tell the request at work: uvicorn tells only the latest, which may be waiting behind it."""
        self._timer.cancel()
        self._watched.stop()
        if self._before is not None:
            self._before.disconnected = True
            self._before.message_event.set()
        super().connection_lost(exc)

    def _refuse(self, problem: tuple[int, str, str]) -> None:
        """Answer with a problem, and close; behind a request at work, close after its answer. Discard other input."""
        self._ignoring = True
        if self._is_at_work():
            self.cycle.keep_alive = False
            return
        self.transport.write(refusal(*problem))
        self.transport.close()

    def _worth(self) -> tuple[bool, float]:
        """Order connections that are not at work: idle ones, then by the time since which a head is awaited.

        Connections whose clients still read an answer come last.
        """
        is_awaited = self._receiving or self.cycle is None
        return self._watched.unread > 0, self._timer.when() if is_awaited else 0.0

    def _is_at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_answering(self) -> bool:
        cycles = (each for each in (self._before, self.cycle) if each is not None)
        return any(each.response_started and not each.response_complete for each in cycles)

    def _is_receiving(self) -> bool:
        is_answered = self.cycle is not None and self.cycle.response_complete
        return is_answered and (self._receiving or self._ignoring)

    def _wait(self) -> None:
        self._timer.cancel()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)

    def _leave(self) -> None:
        if self._is_at_work():  # on the previous request
            self._wait()
        else:
            self._receiving = False  # its time is over
            self.transport.close()


async def _unchunked(app: ASGIApp, cycle: RequestResponseCycle, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an application for HTTP/1.0, which has no chunks (RFC 9112, 6.1), although uvicorn sends them.

    A body of unknown length ends when the connection closes.
    """
    is_known = True

    async def send_plain(message: Message) -> None:
        nonlocal is_known
        if message["type"] == "http.response.start":
            is_known = any(name.lower() == b"content-length" for name, _ in message["headers"])
            cycle.chunked_encoding = None if is_known else False
        elif not is_known:
            cycle.expected_content_length = len(message.get("body", b""))  # else uvicorn reports it as too long
        await send(message)

    await app(scope, receive, send_plain)

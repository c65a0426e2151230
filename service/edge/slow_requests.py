"""Connections: none waits for ever, or fills memory, by what is no request's body."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Connection"]

MAX_HEAD_BYTES = 64 * 1024
"""of a request's head, and of what follows its body"""
HEAD_SECONDS = 30.0
"""From the connection, or the first byte of a further request, to the end of the head; then the deadline holds."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which by itself sets no such bounds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)
        self._bytes = 0
        """that came since a head, a piece of a body or a request ended"""
        self._receiving = False

    def on_message_begin(self) -> None:
        """Begin to wait for a head."""
        super().on_message_begin()
        self._receiving = True
        self._wait()

    def on_headers_complete(self) -> None:
        """Let the request go its way."""
        self._timer.cancel()
        self._bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Let the request count it."""
        self._bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Know that all of a request is there."""
        self._timer.cancel()
        self._bytes, self._receiving = 0, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that is answered already, but not for ever."""
        super().on_response_complete()
        if self._receiving:
            self._wait()

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too long."""
        self._bytes += len(data)
        super().data_received(data)
        if self._bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer.cancel()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)

    def _leave(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # of the request before
            self._wait()
        else:
            self.transport.close()

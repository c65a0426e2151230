"""Connections: none waits for ever, or fills memory, before it has sent the head of a request."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Connection"]

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
"""From the connection, or the first byte of a further request, to the end of the head; then the deadline holds."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which by itself sets no bounds to the head of a request."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)
        self._in_head = True
        self._head_bytes = 0

    def on_message_begin(self) -> None:
        """Begin to wait for a head."""
        super().on_message_begin()
        self._timer.cancel()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Let the request go its way."""
        self._timer.cancel()
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too long."""
        super().data_received(data)
        self._head_bytes += len(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _leave(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # of the request before
            self._timer = self.loop.call_later(HEAD_SECONDS, self._leave)
        else:
            self.transport.close()

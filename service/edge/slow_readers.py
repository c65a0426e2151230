"""Answers leave as fast as their clients read them, and wait for no client for ever."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Sending"]

PIECE_BYTES = 256 * 1024

log = structlog.get_logger()


class Sending:
    """ASGI middleware: hands a body on in pieces, each once the client has read nearly all before it.

    Handed on at once, it would stay in the server's memory until the client has read it, be that never.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        """seconds: for a whole answer; a client that has not read it by then gets no more of it."""
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= PIECE_BYTES:
                await send(message)
                return
            starts = range(0, len(body), PIECE_BYTES)
            try:
                async with asyncio.timeout(self._seconds):
                    for start in starts:
                        more = start != starts[-1] or message.get("more_body", False)
                        await send({**message, "body": body[start : start + PIECE_BYTES], "more_body": more})
            except TimeoutError:  # the server closes the connection, since the answer is not complete
                log.warning("answer_not_read", bytes=len(body))

        await self._app(scope, receive, send_in_pieces)

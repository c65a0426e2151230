"""Server-sent events: each is sent as soon as it is made, by a task that does not wait for the client."""

import asyncio
from collections.abc import Callable, Coroutine

import structlog
from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from model.errors import ModelError
from service.errors import ClientGoneError, ServiceError
from service.http.problems import describe, internal_problem
from service.http.response import EVENTS

__all__ = ["EventStream", "write_event"]

KEEP_ALIVE_SECONDS = 15.0
"""Longest silence on the connection: many proxies close one that is idle for a minute."""
KEEP_ALIVE = b": keep-alive\n\n"
PIECE_BYTES = 64 * 1024
"""Sent at once; the next piece follows when the client has read nearly all before it."""
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}  # nginx would hold events back

log = structlog.get_logger()

Work = Callable[["EventStream"], Coroutine[None, None, Response | None]]
"""either returns an answer, or opens the stream and emits events"""


def write_event(name: str, data: BaseModel) -> bytes:
    """Write one event. Takes time where the data hold an image: not for the event loop."""
    return f"event: {name}\ndata: {data.model_dump_json(exclude_none=True)}\n\n".encode()


class EventStream(Response):
    """The events that work emits. Should it fail after the first of them, the last is an `error`."""

    media_type = EVENTS

    def __init__(self, request: Request, seconds: float) -> None:
        """seconds: for the whole answer; a client that has not read it by then gets no more of it."""
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._request = request
        self._seconds = seconds
        self._opened = asyncio.Event()
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._first: bytes | None = None
        self._task: asyncio.Task[Response | None] | None = None

    def open(self) -> None:
        """Announce events. The head is sent with the first, or once the silence has become long."""
        self._opened.set()

    def emit(self, event: bytes) -> None:
        """Send an event after those before it. Returns at once; what the client has not read yet is held."""
        self._events.put_nowait(event)

    async def start(self, work: Work) -> Response:
        """Begin to work. Return its answer, or this stream once it has something to send. Raises what `work` raises."""
        self._task = task = asyncio.create_task(work(self))
        task.add_done_callback(lambda _: self._end())
        try:
            await self._opened.wait()
            self._first = await self._next()
            if self._first is not None:
                return self
            answer = await task
            if answer is None:
                raise RuntimeError("the work made neither an answer nor an event")
            return answer
        except BaseException:
            task.cancel()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, and drop what is still in work if the client is gone."""
        sent = 0
        try:
            async with asyncio.timeout(self._seconds):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                event = self._first
                while event is not None:
                    for start in range(0, len(event), PIECE_BYTES):
                        piece = event[start : start + PIECE_BYTES]
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                        sent += len(piece)
                    event = await self._next()
                await send({"type": "http.response.body", "body": await self._last_event()})
        except TimeoutError:  # the server closes the connection, since the answer is not complete
            log.warning("answer_not_read", sent=sent)
        finally:
            if self._task is not None:
                self._task.cancel()

    def _end(self) -> None:
        self._opened.set()
        self._events.put_nowait(None)

    async def _next(self) -> bytes | None:
        """Return the next event, or a comment if it takes long; None after the last."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                return await self._events.get()
        except TimeoutError:
            return KEEP_ALIVE

    async def _last_event(self) -> bytes:
        """Return an `error` if the work failed. The status is sent already, so the problem has it alone."""
        try:
            if self._task is not None:
                await self._task
            return b""
        except (ServiceError, ModelError) as error:
            problem = describe(error)
            self._request.state.code = problem.code  # for the log and the metrics
            return b"" if isinstance(error, ClientGoneError) else write_event("error", problem)
        except Exception:  # the last resort: whatever it was, the client is told
            log.exception("unexpected_error")
            problem = internal_problem()
            self._request.state.code = problem.code
            return write_event("error", problem)

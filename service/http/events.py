"""Streamed answers: JSON, zips and server-sent events, sent while they are made."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from traceback import clear_frames

import structlog
from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from model.errors import ModelError
from service.errors import ClientGoneError, ServiceError
from service.http.problems import describe, internal_problem
from service.scheduling.lanes import MAX_UNREAD_BYTES

__all__ = ["EVENTS", "Stream", "write_event"]

EVENTS = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
"""Maximum silence on the connection: many proxies close one that is idle for a minute."""
KEEP_ALIVE = b": keep-alive\n\n"
PIECE_BYTES = 64 * 1024
"""Sent at once; the next piece follows when the client has read nearly all before it."""
EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back

log = structlog.get_logger()

Work = Callable[["Stream"], Coroutine[None, None, None]]
"""opens the stream and emits the answer's parts; it ends when all are sent"""


def write_event(name: str, data: BaseModel) -> bytes:
    """Write one event. Slow if the data hold an image: not for the event loop."""
    return f"event: {name}\ndata: {data.model_dump_json(exclude_none=True)}\n\n".encode()


class Stream(Response):
    """The parts of an answer, emitted by work that goes on until the last part is sent.

    If the work fails after the first part, events end with an `error`. Any other answer is broken off, which its client
    notices by the missing end.
    """

    _task: asyncio.Task[None]

    def __init__(self, request: Request) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._request = request
        self._change = asyncio.Event()
        self._is_open = False
        self._parts: deque[bytes] = deque()
        self._unread = 0
        self._is_whole = False
        self._sending = False
        self._failure = asyncio.timeout(None)

    def open(self, media_type: str, headers: Mapping[str, str]) -> None:
        """Announce parts. The head is sent with the first part or, for events, after a long silence."""
        events = EVENT_HEADERS if media_type == EVENTS else {}
        self.headers.update({"Content-Type": media_type, "Vary": "Accept"} | dict(headers) | events)
        self._is_open = True
        self._change.set()

    async def emit(self, part: bytes, last: bool = False) -> None:
        """Send a part, in order. Waits while too much is unread. last: no later failure changes the answer.

        A part that is larger than what may be unread keeps its memory until it is sent, so it is waited for.
        """
        self._parts.append(part)
        self._is_whole = last
        self._unread += len(part)
        self._change.set()
        most = MAX_UNREAD_BYTES if len(part) <= MAX_UNREAD_BYTES else 0
        await self._until(lambda: self._unread <= most)

    async def sent(self) -> None:
        """Wait until the client has read nearly all."""
        await self._until(lambda: not self._unread)

    async def start(self, work: Work) -> Response:
        """Begin to work. Return this stream once it has something to send. Raises the errors of `work` until then."""
        self._task = asyncio.create_task(self._work(work))
        self._task.add_done_callback(self._end)
        try:
            await self._until(lambda: self._is_open or self._task.done())
            if not await self._wait_for_more():
                await self._task
                raise RuntimeError("the work ended without an answer")
        except BaseException:
            self._task.cancel()
            raise
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts. If the client is gone, drop work in progress."""
        try:
            try:
                async with self._failure:
                    self._sending = True
                    await self._send_parts(send)
            except TimeoutError:
                if not self._failure.expired():
                    raise
                log.warning("answer_broken_off", unread=self._unread)
            self._sending = False
            last = await self._last_part()
            if last is not None:
                await send({"type": "http.response.body", "body": last})
        finally:
            self._task.cancel()

    async def _send_parts(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while await self._wait_for_more():
            if not self._parts:
                await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
                continue
            part = self._parts.popleft()
            for start in range(0, len(part), PIECE_BYTES):
                piece = part[start : start + PIECE_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._unread -= len(piece)
                self._change.set()

    async def _work(self, work: Work) -> None:
        try:
            await work(self)
        except BaseException as error:
            # errors, frames and task form a cycle, which would hold uploads and images until the garbage collector runs
            each: BaseException | None = error
            while each is not None:
                clear_frames(each.__traceback__)
                each = each.__context__
            raise

    def _end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self._sending and self._is_broken_off and error and not isinstance(error, ClientGoneError):
            self._failure.reschedule(asyncio.get_running_loop().time())  # the rest may have no reader
        self._change.set()

    @property
    def _is_broken_off(self) -> bool:
        """Whether a failure after the first part breaks the answer off: all but events."""
        return self.headers.get("content-type") != EVENTS

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._change.clear()
            await self._change.wait()

    async def _wait_for_more(self) -> bool:
        """Wait for more to send: parts or, for events, a comment after a long silence. False after the last part."""
        try:
            async with asyncio.timeout(None if self._is_broken_off else KEEP_ALIVE_SECONDS):
                await self._until(lambda: bool(self._parts) or self._task.done())
        except TimeoutError:
            return True
        return bool(self._parts)

    async def _last_part(self) -> bytes | None:
        """Return the last bytes: an `error` event if the work failed; None breaks the answer off.

        The HTTP status is already sent, so only the problem has the error's status.
        """
        try:
            await self._task
            return b""
        except (ServiceError, ModelError) as error:
            problem, gone = describe(error), isinstance(error, ClientGoneError)
        except Exception:  # last resort: tell the client about any error
            log.exception("unexpected_error")
            problem, gone = internal_problem(), False
        if self._is_whole and not self._is_broken_off and not gone:  # all is made; its client only reads slowly
            return b""
        self._request.state.code = problem.code  # for the log and the metrics
        if self._is_broken_off:
            return None
        return b"" if gone else write_event("error", problem)

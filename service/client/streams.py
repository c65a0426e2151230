"""Streams of colorings, read from server-sent events as they are made."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx

from service.api.schemas import ColorizationDone
from service.client.answers import Coloring
from service.client.calls import Call, ColoringCalls
from service.client.errors import ConnectionFailedError, TimedOutError, UnreadableAnswerError, problem_in
from service.client.exchange import EVENTS

__all__ = ["AsyncColoringStream", "ColoringStream", "Streams"]

R = TypeVar("R", covariant=True)


class _Reader:
    """Parses the pieces of an answer into colorings, and keeps the last event."""

    def __init__(self, response: httpx.Response) -> None:
        """Raise UnreadableAnswerError for an answer that is not a stream."""
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if media_type != EVENTS:
            raise UnreadableAnswerError(f"{response.request.url}: expected {EVENTS}, got {media_type or 'nothing'}")
        self._response = response
        self._buffer = bytearray()
        self._done: ColorizationDone | None = None

    def feed(self, piece: bytes) -> Iterator[Coloring]:
        """Yield the colorings that are complete. Raises ProblemError for an `error`, UnreadableAnswerError."""
        searched = max(len(self._buffer) - 1, 0)
        self._buffer += piece
        while (end := self._buffer.find(b"\n\n", searched)) >= 0:
            event = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            searched = 0
            coloring = self._understand(event)
            if coloring is not None:
                yield coloring

    def end(self) -> ColorizationDone:
        """Return the last event. Raises ConnectionFailedError if the answer is incomplete."""
        if self._done is None:
            raise ConnectionFailedError(f"{self._response.request.url}: the answer ended before its last event")
        return self._done

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise TimedOutError and ConnectionFailedError for failures while the answer arrives."""
        url = self._response.request.url
        try:
            yield
        except httpx.TimeoutException as error:
            raise TimedOutError(f"{url}: no event in time") from error
        except httpx.RequestError as error:
            raise ConnectionFailedError(f"{url}: {error or type(error).__name__}") from error

    def _understand(self, event: bytes) -> Coloring | None:
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)  # a comment has no name
        name, data = fields.get(b"event"), fields.get(b"data", b"")
        try:
            if name == b"coloring":
                return Coloring.model_validate_json(data)
            if name == b"done":
                self._done = ColorizationDone.model_validate_json(data)
            problem = json.loads(data) if name == b"error" else None
        except ValueError as error:
            raise UnreadableAnswerError(f"{self._response.request.url}: not an event of tintflow's") from error
        if problem is not None:
            raise problem_in(problem, self._response)
        return None


class ColoringStream(Iterator[Coloring]):
    """Iterates over the colorings of one photo, each as soon as it is made. The request is sent by the first `next`.

    Raises the errors of the client's calls; ProblemError and ConnectionFailedError also between two colorings. If you
    leave early, `with` closes the connection, which stops the work.
    """

    def __init__(self, send: Callable[[], httpx.Response]) -> None:
        self.done: ColorizationDone | None = None
        """seed, temperature, timings and the like, once all colorings have come"""
        self._colorings = self._read(send)

    def __next__(self) -> Coloring:
        return next(self._colorings)

    def close(self) -> None:
        """Close the connection."""
        self._colorings.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, send: Callable[[], httpx.Response]) -> Generator[Coloring]:
        response = send()
        try:
            reader = _Reader(response)
            with reader.translated():
                for piece in response.iter_bytes():
                    yield from reader.feed(piece)
            self.done = reader.end()
        finally:
            response.close()


class AsyncColoringStream(AsyncIterator[Coloring]):
    """A `ColoringStream` for `async for` and `async with`."""

    def __init__(self, send: Callable[[], Awaitable[httpx.Response]]) -> None:
        self.done: ColorizationDone | None = None
        """seed, temperature, timings and the like, once all colorings have come"""
        self._colorings = self._read(send)

    async def __anext__(self) -> Coloring:
        return await anext(self._colorings)

    async def close(self) -> None:
        """Close the connection."""
        await self._colorings.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _read(self, send: Callable[[], Awaitable[httpx.Response]]) -> AsyncGenerator[Coloring]:
        response = await send()
        try:
            reader = _Reader(response)
            with reader.translated():
                async for piece in response.aiter_bytes():
                    for coloring in reader.feed(piece):
                        yield coloring
            self.done = reader.end()
        finally:
            await response.aclose()


class Streams(ColoringCalls[R]):
    """The calls that make colorings, one by one: `for coloring in client.stream.colorizations("photo.jpg"): …`."""

    def __init__(self, begin: Callable[[Call[Any]], R]) -> None:
        """begin: makes a stream, whose request is sent later."""
        self._begin = begin

    def _send(self, call: Call[Any]) -> R:
        return self._begin(call)

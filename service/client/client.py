"""Two clients, blocking and asynchronous, with the same requests and answers."""

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, Self, TypeVar, Unpack

import httpx
from pydantic import BaseModel

from service.api.schemas import LikelihoodResponse, ModelList
from service.client import calls
from service.client.answers import ColorizationResponse
from service.client.calls import Call, ColoringCalls, Headers
from service.client.exchange import Outcome, Patience, exchange, read
from service.client.fields import ColorizationFields
from service.client.folder import Folder, FolderPhoto
from service.client.photos import PhotoSource, without_images
from service.client.streams import AsyncColoringStream, ColoringStream, Streams

__all__ = ["AT_ONCE", "ENVIRONMENT", "MAX_PORT", "AsyncClient", "Client", "headers"]

M = TypeVar("M", bound=BaseModel)

ENVIRONMENT = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that httpx reads."""

URL = "http://localhost:8000"
TIMEOUT = httpx.Timeout(150.0, connect=5.0, pool=None)  # seconds; the service's own deadline is 120
MAX_PORT = 65_535
RETRIES = 3
MAX_WAIT_SECONDS = 60.0
AT_ONCE = 2  # while one photo is on the model, the other is decoded or encoded


def checked_url(url: str) -> str:
    """Return the address of a service. Raises ValueError if it is none."""
    try:
        parts = httpx.URL(url)
        is_one = parts.scheme in {"http", "https"} and parts.host and (parts.port or 0) <= MAX_PORT
    except httpx.InvalidURL:
        is_one = False
    if not is_one or "?" in url or "#" in url:
        shown = re.sub(r"//[^/]*@", "//…@", url)  # no password
        raise ValueError(f"expected a URL such as http://localhost:8000, without ? or #, got {shown}")
    return url


def headers(api_key: str | None) -> dict[str, str]:
    """Return the headers of every request. Raises ValueError, which hides the key, if no header can hold it."""
    if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise ValueError("api_key: expected ASCII characters without spaces or line breaks")
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _timeouts(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """Return the timeouts of one request. A call may wait as long as it takes for one of httpx's 100 connections."""
    return timeout if isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout, pool=None)


@contextmanager
def _environment_named() -> Iterator[None]:
    """Raise ValueError, which names the variables that are set, if httpx cannot use their values."""
    try:
        yield
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        names = [name for name in ENVIRONMENT if os.environ.get(name) or os.environ.get(name.lower())]
        if not names:
            raise
        # httpx may show part of a wrong URL's password
        reason = "expected a URL" if isinstance(error, httpx.InvalidURL) else error
        raise ValueError(f"wrong value in the environment, of {' or '.join(names)}: {reason}") from None


class Client(ColoringCalls[ColorizationResponse]):
    """A blocking client, which threads may share. It keeps and reuses connections until it is closed.

    timeout: seconds, or an httpx.Timeout. retries: maximum per call, after 429, 502, 503 or a broken connection.
    max_wait: longest Retry-After to wait for, in seconds. If a service that has answered before cannot be reached,
    calls wait for it up to 30 seconds, or `max_wait`. Calls raise the errors in `errors`, and OSError for a photo's
    path that cannot be read.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        api_key: str | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: int = RETRIES,
        max_wait: float = MAX_WAIT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        base_url, head = checked_url(url), headers(api_key)
        with _environment_named():
            self._http = httpx.Client(base_url=base_url, headers=head, timeout=_timeouts(timeout), transport=transport)
        self._patience = Patience(retries, max_wait)
        self.stream = Streams(lambda call: ColoringStream(partial(self._answer, call, stream=True)))
        """the same calls, but each coloring comes as soon as it is made"""

    def folder(
        self,
        photos: str | PathLike[str],
        out: str | PathLike[str],
        *,
        at_once: int = AT_ONCE,
        overwrite: bool = False,
        extra_headers: Headers = None,
        **fields: Unpack[ColorizationFields],
    ) -> Generator[FolderPhoto]:
        """Color all photos below a folder, `at_once` at a time, into files OUT/NAME-SEED-INDEX.jpg.

        Yields each photo when it is done. Skips photos that an earlier call with the same fields colored, so the same
        call resumes an earlier one. The error of one photo is in its result. An error that the next photo would meet,
        too, is raised.
        """
        send = partial(self.colorizations, extra_headers=extra_headers)
        yield from Folder(photos, out, fields, overwrite, at_once).run(send)

    def likelihoods(self, image: PhotoSource, *, extra_headers: Headers = None) -> LikelihoodResponse:
        """Get the bits per dimension of a photo's own colors."""
        return self._send(calls.likelihoods(image, extra_headers))

    def models(self, *, extra_headers: Headers = None) -> ModelList:
        """Get the loaded model, with its device and limits."""
        return self._send(calls.models(extra_headers))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, call: Call[M]) -> M:
        return read(call, self._answer(call, stream=False))

    def _answer(self, call: Call[Any], stream: bool) -> httpx.Response:
        """Return a successful answer; for a stream, before its body is read."""
        with closing(exchange(self._http, call, stream, self._patience)) as steps:
            outcome: Outcome = None
            while not isinstance(step := steps.send(outcome), httpx.Response):
                outcome = None
                if isinstance(step, float):
                    time.sleep(step)
                    continue
                try:
                    outcome = self._http.send(step, stream=stream)
                    if not outcome.is_success:
                        outcome.read()
                except httpx.RequestError as error:
                    outcome = error
            return step


class AsyncClient(ColoringCalls[Coroutine[Any, Any, ColorizationResponse]]):
    """An asynchronous `Client`: the same calls, to be awaited."""

    def __init__(
        self,
        url: str = URL,
        *,
        api_key: str | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: int = RETRIES,
        max_wait: float = MAX_WAIT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base_url, head = checked_url(url), headers(api_key)
        with _environment_named():
            self._http = httpx.AsyncClient(
                base_url=base_url, headers=head, timeout=_timeouts(timeout), transport=transport
            )
        self._patience = Patience(retries, max_wait)
        self.stream = Streams(lambda call: AsyncColoringStream(partial(self._answer, call, stream=True)))
        """the same calls, but each coloring comes as soon as it is made"""

    async def folder(
        self,
        photos: str | PathLike[str],
        out: str | PathLike[str],
        *,
        at_once: int = AT_ONCE,
        overwrite: bool = False,
        extra_headers: Headers = None,
        **fields: Unpack[ColorizationFields],
    ) -> AsyncGenerator[FolderPhoto]:
        """Color all photos below a folder, as `Client.folder` does."""
        work = await asyncio.to_thread(Folder, photos, out, fields, overwrite, at_once)
        send = partial(self.colorizations, extra_headers=extra_headers)
        async with aclosing(work.run_async(send)) as results:
            async for each in results:
                yield each

    async def likelihoods(self, image: PhotoSource, *, extra_headers: Headers = None) -> LikelihoodResponse:
        """Get the bits per dimension of a photo's own colors."""
        return await self._send(calls.likelihoods(image, extra_headers))

    async def models(self, *, extra_headers: Headers = None) -> ModelList:
        """Get the loaded model, with its device and limits."""
        return await self._send(calls.models(extra_headers))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, call: Call[M]) -> M:
        return read(call, await self._answer(call, stream=False))

    async def _answer(self, call: Call[Any], stream: bool) -> httpx.Response:
        """Return a successful answer; for a stream, before its body is read."""
        photos = await asyncio.to_thread(without_images, call.photos)  # not on the event loop, which it would block
        call = replace(call, photos=photos)
        with closing(exchange(self._http, call, stream, self._patience)) as steps:
            outcome: Outcome = None
            while not isinstance(step := steps.send(outcome), httpx.Response):
                outcome = None
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                try:
                    outcome = await self._http.send(step, stream=stream)
                    if not outcome.is_success:
                        await outcome.aread()
                except httpx.RequestError as error:
                    outcome = error
            return step

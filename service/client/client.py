"""The two clients: one blocks, one is asynchronous; what they send and read is the same."""

import asyncio
import time
from contextlib import closing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from service.api.schemas import LikelihoodResponse, ModelList
from service.client import calls
from service.client.answers import ColorizationResponse
from service.client.exchange import Outcome, Wait, exchange, read
from service.client.fields import ColorizationFields, InterpolationFields, TransferFields, VariationFields
from service.client.photos import PhotoSource
from service.client.requests import Call
from service.client.streams import AsyncStreams, Streams

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")

URL = "http://localhost:8000"
TIMEOUT = httpx.Timeout(150.0, connect=5.0)  # seconds; the service's own deadline is 120
RETRIES = 3
MAX_WAIT_SECONDS = 60.0


def _headers(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


class Client:
    """A blocking client; one may be shared by threads. Its connections are kept and used again until it is closed.

    timeout: seconds, or httpx's own. retries: how often a call is repeated that met 429, 503 or a broken connection.
    max_wait: the longest Retry-After, in seconds, that is waited for. Calls raise what `errors` lists, and OSError
    for a photo's path that cannot be read.
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
        self._http = httpx.Client(base_url=url, headers=_headers(api_key), timeout=timeout, transport=transport)
        self._retries, self._max_wait = retries, max_wait
        self.stream = Streams(lambda call: self._answer(call, stream=True))
        """the same calls, whose colorings come one by one, each as soon as it is made"""

    def colorizations(self, image: PhotoSource, **fields: Unpack[ColorizationFields]) -> ColorizationResponse:
        """Get n colorings of a photo."""
        return self._send(calls.colorizations(image, fields))

    def variations(self, image: PhotoSource, **fields: Unpack[VariationFields]) -> ColorizationResponse:
        """Get more colorings like one of the same photo."""
        return self._send(calls.variations(image, fields))

    def transfers(
        self, image: PhotoSource, reference: PhotoSource, **fields: Unpack[TransferFields]
    ) -> ColorizationResponse:
        """Get colorings of a photo whose colors come from a reference."""
        return self._send(calls.transfers(image, reference, fields))

    def interpolations(self, image: PhotoSource, **fields: Unpack[InterpolationFields]) -> ColorizationResponse:
        """Get the colorings on the way from one to another, or to a reference's colors."""
        return self._send(calls.interpolations(image, fields))

    def likelihoods(self, image: PhotoSource) -> LikelihoodResponse:
        """Get the bits per dimension of a photo's own colors."""
        return self._send(calls.likelihoods(image))

    def models(self) -> ModelList:
        """Get what is loaded, and where it runs."""
        return self._send(calls.MODELS)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, call: Call[T]) -> T:
        return read(call, self._answer(call, stream=False))

    def _answer(self, call: Call[Any], stream: bool) -> httpx.Response:
        """Return a good answer; of a stream, before its body is read."""
        with closing(exchange(self._http, call, self._retries, self._max_wait)) as steps:
            step = next(steps)
            while True:
                outcome: Outcome = None
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                else:
                    try:
                        outcome = self._http.send(step, stream=stream)
                        if not outcome.is_success:
                            outcome.read()
                    except httpx.TransportError as error:
                        outcome = error
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    answer: httpx.Response = end.value
                    return answer


class AsyncClient:
    """The same as `Client`, to be awaited."""

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
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(api_key), timeout=timeout, transport=transport)
        self._retries, self._max_wait = retries, max_wait
        self.stream = AsyncStreams(lambda call: self._answer(call, stream=True))
        """the same calls, whose colorings come one by one, each as soon as it is made"""

    async def colorizations(self, image: PhotoSource, **fields: Unpack[ColorizationFields]) -> ColorizationResponse:
        """Get n colorings of a photo."""
        return await self._send(calls.colorizations(image, fields))

    async def variations(self, image: PhotoSource, **fields: Unpack[VariationFields]) -> ColorizationResponse:
        """Get more colorings like one of the same photo."""
        return await self._send(calls.variations(image, fields))

    async def transfers(
        self, image: PhotoSource, reference: PhotoSource, **fields: Unpack[TransferFields]
    ) -> ColorizationResponse:
        """Get colorings of a photo whose colors come from a reference."""
        return await self._send(calls.transfers(image, reference, fields))

    async def interpolations(self, image: PhotoSource, **fields: Unpack[InterpolationFields]) -> ColorizationResponse:
        """Get the colorings on the way from one to another, or to a reference's colors."""
        return await self._send(calls.interpolations(image, fields))

    async def likelihoods(self, image: PhotoSource) -> LikelihoodResponse:
        """Get the bits per dimension of a photo's own colors."""
        return await self._send(calls.likelihoods(image))

    async def models(self) -> ModelList:
        """Get what is loaded, and where it runs."""
        return await self._send(calls.MODELS)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, call: Call[T]) -> T:
        return read(call, await self._answer(call, stream=False))

    async def _answer(self, call: Call[Any], stream: bool) -> httpx.Response:
        """Return a good answer; of a stream, before its body is read."""
        with closing(exchange(self._http, call, self._retries, self._max_wait)) as steps:
            step = next(steps)
            while True:
                outcome: Outcome = None
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                else:
                    try:
                        outcome = await self._http.send(step, stream=stream)
                        if not outcome.is_success:
                            await outcome.aread()
                    except httpx.TransportError as error:
                        outcome = error
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    answer: httpx.Response = end.value
                    return answer

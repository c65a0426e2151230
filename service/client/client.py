"""The two clients: one blocks, one is asynchronous; what they send and read is the same."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx
from pydantic import BaseModel

from service.api.schemas import LikelihoodResponse, ModelList
from service.client.answers import ColorizationResponse
from service.client.exchange import Outcome, Wait, exchange
from service.client.requests import (
    Call,
    ColorizationFields,
    InterpolationFields,
    PhotoSource,
    TransferFields,
    VariationFields,
    form_values,
)

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

URL = "http://localhost:8000"
TIMEOUT = httpx.Timeout(150.0, connect=5.0)  # seconds; the service's own deadline is 120
RETRIES = 3
MAX_WAIT_SECONDS = 60.0

MODELS = Call("GET", "/v1/models", ModelList.model_validate_json)


def _post(path: str, photos: Mapping[str, PhotoSource | None], fields: Mapping[str, Any], answer: type[M]) -> Call[M]:
    given = {name: photo for name, photo in photos.items() if photo is not None}
    return Call("POST", path, answer.model_validate_json, given, form_values(fields))


def _colorizations(image: PhotoSource, fields: ColorizationFields) -> Call[ColorizationResponse]:
    return _post("/v1/colorizations", {"image": image}, fields, ColorizationResponse)


def _variations(image: PhotoSource, fields: VariationFields) -> Call[ColorizationResponse]:
    return _post("/v1/variations", {"image": image}, fields, ColorizationResponse)


def _transfers(image: PhotoSource, reference: PhotoSource, fields: TransferFields) -> Call[ColorizationResponse]:
    return _post("/v1/transfers", {"image": image, "reference": reference}, fields, ColorizationResponse)


def _interpolations(image: PhotoSource, fields: InterpolationFields) -> Call[ColorizationResponse]:
    values = {name: value for name, value in fields.items() if name != "reference"}
    photos = {"image": image, "reference": fields.get("reference")}
    return _post("/v1/interpolations", photos, values, ColorizationResponse)


def _likelihoods(image: PhotoSource) -> Call[LikelihoodResponse]:
    return _post("/v1/likelihoods", {"image": image}, {}, LikelihoodResponse)


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

    def colorizations(self, image: PhotoSource, **fields: Unpack[ColorizationFields]) -> ColorizationResponse:
        """Get n colorings of a photo."""
        return self._send(_colorizations(image, fields))

    def variations(self, image: PhotoSource, **fields: Unpack[VariationFields]) -> ColorizationResponse:
        """Get more colorings like one of the same photo."""
        return self._send(_variations(image, fields))

    def transfers(
        self, image: PhotoSource, reference: PhotoSource, **fields: Unpack[TransferFields]
    ) -> ColorizationResponse:
        """Get colorings of a photo whose colours come from a reference."""
        return self._send(_transfers(image, reference, fields))

    def interpolations(self, image: PhotoSource, **fields: Unpack[InterpolationFields]) -> ColorizationResponse:
        """Get the colorings on the way from one to another, or to a reference's colours."""
        return self._send(_interpolations(image, fields))

    def likelihoods(self, image: PhotoSource) -> LikelihoodResponse:
        """Get the bits per dimension of a photo's own colours."""
        return self._send(_likelihoods(image))

    def models(self) -> ModelList:
        """Get what is loaded, and where it runs."""
        return self._send(MODELS)

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
        with closing(exchange(self._http, call, self._retries, self._max_wait)) as steps:
            step = next(steps)
            while True:
                outcome: Outcome = None
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                else:
                    try:
                        outcome = self._http.send(step)
                    except httpx.TransportError as error:
                        outcome = error
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    result: T = end.value
                    return result


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

    async def colorizations(self, image: PhotoSource, **fields: Unpack[ColorizationFields]) -> ColorizationResponse:
        """Get n colorings of a photo."""
        return await self._send(_colorizations(image, fields))

    async def variations(self, image: PhotoSource, **fields: Unpack[VariationFields]) -> ColorizationResponse:
        """Get more colorings like one of the same photo."""
        return await self._send(_variations(image, fields))

    async def transfers(
        self, image: PhotoSource, reference: PhotoSource, **fields: Unpack[TransferFields]
    ) -> ColorizationResponse:
        """Get colorings of a photo whose colours come from a reference."""
        return await self._send(_transfers(image, reference, fields))

    async def interpolations(self, image: PhotoSource, **fields: Unpack[InterpolationFields]) -> ColorizationResponse:
        """Get the colorings on the way from one to another, or to a reference's colours."""
        return await self._send(_interpolations(image, fields))

    async def likelihoods(self, image: PhotoSource) -> LikelihoodResponse:
        """Get the bits per dimension of a photo's own colours."""
        return await self._send(_likelihoods(image))

    async def models(self) -> ModelList:
        """Get what is loaded, and where it runs."""
        return await self._send(MODELS)

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
        with closing(exchange(self._http, call, self._retries, self._max_wait)) as steps:
            step = next(steps)
            while True:
                outcome: Outcome = None
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                else:
                    try:
                        outcome = await self._http.send(step)
                    except httpx.TransportError as error:
                        outcome = error
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    result: T = end.value
                    return result

"""Routes of the HTTP interface, version 1. Each validates, makes one call and answers."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response

from service import errors
from service.api.endpoints import COLOR_ENDPOINTS, LIKELIHOODS, ColorEndpoint, Endpoint
from service.api.formats import PHOTO_FORMATS
from service.api.schemas import ColorizationResponse, LikelihoodResponse, Limits, Model, ModelList, Status
from service.engine import Engine
from service.http import problems
from service.http.events import EVENTS, Stream
from service.http.openapi import body, coloring_answer
from service.http.request import check_options, read_request
from service.http.response import answer, choose_form, seeds
from service.pipeline import Output
from service.settings import Settings
from service.telemetry.metrics import Metrics

__all__ = ["NOT_READY", "EngineOf", "add_colorings", "router"]

CUSTOMER_BITS = 64
"""Length in bits of the IPv6 prefix that identifies one customer."""

T = TypeVar("T")

router = APIRouter()


def _part(name: str) -> Any:
    """Return a dependency that gives a route a part of the application."""

    def of(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(of)


EngineOf = Annotated[Engine, _part("engine")]
SettingsOf = Annotated[Settings, _part("settings")]
MetricsOf = Annotated[Metrics, _part("metrics")]

NOT_READY = (errors.LoadingError, errors.DrainingError, errors.UnhealthyError, errors.LoadFailedError)
UNAUTHORIZED = (errors.MissingKeyError, errors.InvalidKeyError)
COLORING_ERRORS = [kind for kind in problems.PROBLEMS if kind is not errors.ClientGoneError]
OF_PICTURES = (errors.NotAcceptableError, errors.OutputSizeError)
SCORING_ERRORS = [kind for kind in COLORING_ERRORS if kind not in OF_PICTURES]


def _described(endpoint: Endpoint[Any], responses: dict[int | str, dict[str, Any]]) -> dict[str, Any]:
    return {"tags": [f"{endpoint.name}s"], "responses": responses, "openapi_extra": {"requestBody": body(endpoint)}}


async def _colorings(endpoint: ColorEndpoint, request: Request, engine: EngineOf, settings: SettingsOf) -> Response:
    """Answer a request for colorings: each is sent as soon as it is made."""

    async def work(stream: Stream) -> None:
        async with engine.accept(_owner(request)) as pipeline:  # keeps the place until the last byte is sent
            uploads, parameters = await read_request(
                request, pipeline.place, pipeline.run, endpoint, settings.max_bytes
            )
            options = endpoint.asked(parameters)
            form = choose_form(", ".join(request.headers.getlist("accept")), parameters, options.samples)
            if form.media_type.startswith("image/") and options.samples > 1:
                options = endpoint.asked(parameters.model_copy(update={"n": 1}))
            check_options(options, uploads)

            async def make() -> None:
                if form.media_type == EVENTS:
                    stream.open(EVENTS, seeds(options))  # so that comments keep the connection alive from now on
                output = Output(form.output_format, parameters.output_compression, parameters.output_max_side)
                colorization = await pipeline.colorize(endpoint, uploads, options, output)
                pipeline.begin_answer()
                await answer(colorization, form, stream, pipeline.run)

            await _while_connected(request, make())

    return await Stream(request).start(work)


def add_colorings(router: APIRouter, path: str, endpoint: ColorEndpoint) -> None:
    """Add the route of an endpoint whose answer is colorings."""
    router.add_api_route(
        path,
        partial(_colorings, endpoint),
        methods=["POST"],
        name=f"create_{endpoint.name}s",
        summary=endpoint.summary,
        description=endpoint.description,
        response_model=ColorizationResponse,
        **_described(endpoint, problems.responses(*COLORING_ERRORS) | {200: coloring_answer(endpoint)}),
    )


for each in COLOR_ENDPOINTS:
    add_colorings(router, f"/v1/{each.name}s", each)


@router.post(
    "/v1/likelihoods",
    summary="Say how plausible a photo's own colors are",
    **_described(LIKELIHOODS, problems.responses(*SCORING_ERRORS)),
)
async def create_likelihoods(request: Request, engine: EngineOf, settings: SettingsOf) -> LikelihoodResponse:
    """Get the exact bits per dimension of a photo's own colors, given its own lightness."""
    async with engine.accept(_owner(request)) as pipeline:
        uploads, _ = await read_request(request, pipeline.place, pipeline.run, LIKELIHOODS, settings.max_bytes)
        return await _while_connected(request, pipeline.score(LIKELIHOODS, uploads))


@router.get(
    "/v1/models",
    tags=["models"],
    responses=problems.responses(*UNAUTHORIZED, errors.RateLimitedError, *NOT_READY),
)
async def list_models(engine: EngineOf, settings: SettingsOf) -> ModelList:
    """Return the loaded model, its device, and the formats and limits of photos."""
    facts = asdict(engine.info)
    limits = Limits(bytes=settings.max_bytes, pixels=settings.max_pixels, output_pixels=settings.max_output_pixels)
    return ModelList(data=[Model(id=facts.pop("name"), photo_formats=PHOTO_FORMATS, limits=limits, **facts)])


@router.get("/livez", tags=["health"], responses=problems.responses(errors.UnhealthyError))
async def livez(engine: EngineOf) -> Status:
    """Answer 200 while the process is alive, and 503 once the model failed so often that only a restart can help."""
    engine.check_alive()
    return Status(status="live")


@router.get("/readyz", tags=["health"], responses=problems.responses(*NOT_READY))
async def readyz(engine: EngineOf) -> Status:
    """Answer 200 while colorizations are accepted: weights loaded and warm, and not stopping."""
    engine.check_ready()
    return Status(status=engine.state)


@router.get(
    "/metrics",
    tags=["health"],
    response_class=Response,
    responses=problems.responses(*UNAUTHORIZED, errors.RateLimitedError) | {200: {"content": {"text/plain": {}}}},
)
async def metrics(metrics: MetricsOf) -> Response:
    """Return metrics for Prometheus."""
    return Response(metrics.text(), media_type=Metrics.media_type)


def _owner(request: Request) -> str:
    """Return the owner of a request: its key's name, or else its address; for IPv6, the network of one customer."""
    key: str | None = getattr(request.state, "key", None)
    if key is not None:
        return f"key {key}"
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:  # no address: a test's client, or a Unix socket
        return host
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(ip_network((address, CUSTOMER_BITS), strict=False))
    return host


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await work; if the client closes the connection, cancel it and raise ClientGoneError."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnection(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise errors.ClientGoneError("the client closed the connection while its answer was made")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnection(request: Request) -> None:
    """Wait until the client is gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
